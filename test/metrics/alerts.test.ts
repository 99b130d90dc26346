/** The alerting rules and the dashboard, against what a replicator really answers. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { describeWith, needTool } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { startReplicator } from './replicator.ts';

const ALERTS = path.resolve(import.meta.dirname, '..', '..', 'alerts');
const DOCS = path.resolve(ALERTS, '..', 'docs', 'metrics.md');
const FILES = ['sluice.rules.yml', 'grafana.json'] as const;

interface RulesFile {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
}

function textOf(file: string): string {
  return fs.readFileSync(path.join(ALERTS, file), 'utf8');
}

function rules(): RulesFile['groups'][number]['rules'] {
  return (parse(textOf('sluice.rules.yml')) as RulesFile).groups.flatMap((group) => group.rules);
}

/** The values of all keys `expr` and `query`, at any depth. */
function expressionsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    (key === 'expr' || key === 'query') && typeof inner === 'string'
      ? [inner]
      : expressionsOf(inner),
  );
}

function namesIn(expressions: readonly string[]): Set<string> {
  return new Set(expressions.flatMap((text) => text.match(/\b(?:sluice|process)_[a-z_]+/g) ?? []));
}

test('every metric of the rules and of the dashboard is in /metrics', async () => {
  const sluice = await startReplicator();
  const text = await sluice.metrics();
  const exist = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  for (const file of FILES) {
    const names = namesIn(expressionsOf(parse(textOf(file)))); // JSON is YAML
    expect(names.size).toBeGreaterThan(9);
    expect(
      [...names].filter((name) => !exist.has(name)),
      file,
    ).toEqual([]);
  }
});

test('each panel of the dashboard has a title, an expression and a place of its own', () => {
  interface Panel {
    readonly id: number;
    readonly title: string;
    readonly type: string;
    readonly targets?: readonly { readonly expr: string }[];
    readonly gridPos: { readonly x: number; readonly y: number };
  }
  const { panels } = JSON.parse(textOf('grafana.json')) as { panels: readonly Panel[] };
  const places = panels.map(({ gridPos: { x, y } }) => `${x} ${y}`);
  expect(new Set(places).size).toBe(panels.length);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  for (const { title, type, targets = [] } of panels) {
    expect(title).not.toBe('');
    expect(targets.length > 0 || type === 'row', title).toBe(true);
  }
});

test('the documentation explains each alert', () => {
  const page = fs.readFileSync(DOCS, 'utf8');
  for (const { alert } of rules()) expect(page).toContain(`\`${alert}\``);
});

describeWith(['promtool'], 'promtool', () => {
  test('the rules are valid, and fire when they should and only then', () => {
    const promtool = (...args: string[]): string =>
      execFileSync(needTool('promtool'), args, { cwd: ALERTS, encoding: 'utf8' });
    expect(promtool('check', 'rules', 'sluice.rules.yml')).toContain('SUCCESS');
    expect(promtool('test', 'rules', 'sluice.test.yml')).toContain('SUCCESS');
  });

  test('each alert has a case in which it fires', () => {
    interface Case {
      readonly alert_rule_test?: readonly {
        readonly alertname: string;
        readonly exp_alerts?: object[];
      }[];
    }
    const { tests } = parse(textOf('sluice.test.yml')) as { tests: readonly Case[] };
    const fired = tests
      .flatMap(({ alert_rule_test: cases = [] }) => cases)
      .filter(({ exp_alerts: expected = [] }) => expected.length > 0)
      .map(({ alertname }) => alertname);
    expect(new Set(fired)).toEqual(new Set(rules().map(({ alert }) => alert)));
  });

  test('every expression of the dashboard is valid PromQL', () => {
    const groups = expressionsOf(JSON.parse(textOf('grafana.json')))
      .filter((expr) => !/^label_values|^prometheus$/.test(expr))
      .map((expr, index) => ({ record: `panel_${index}`, expr: expr.replaceAll('$', '') }));
    const file = path.join(temporaryFolder('panels'), 'panels.yml');
    fs.writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules: groups }] }));
    expect(groups.length).toBeGreaterThan(15);
    const output = execFileSync(needTool('promtool'), ['check', 'rules', file]);
    expect(output.toString()).toContain(`${groups.length} rules found`);
  });
});
