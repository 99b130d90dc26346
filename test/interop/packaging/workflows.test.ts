/** The workflows and the drill action: their form by the published schemas, and the drill itself in a real shell. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { expect, test } from 'vitest';
import { addRows } from '../../../apps/cli/test/support/database.ts';
import { CLI, runProcess } from '../../../apps/cli/test/support/process.ts';
import { describeWith, needTool } from '../../support/require.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const WORKFLOWS = path.join(ROOT, '.github', 'workflows');
const ACTION = path.join(ROOT, 'packaging', 'drill-action', 'action.yml');

describeWith(['github-schemas'], 'what GitHub runs', () => {
  test.each(fs.readdirSync(WORKFLOWS))('%s is a valid workflow', (name) => {
    const text = fs.readFileSync(path.join(WORKFLOWS, name), 'utf8');
    expect(mistakesOf('github-workflows', text)).toEqual([]);
    expect(mistakesOf('github-workflows', text.replace('runs-on:', 'run-on:'))).not.toEqual([]);
  });

  test('the drill action is a valid action', () => {
    const text = fs.readFileSync(ACTION, 'utf8');
    expect(mistakesOf('github-actions', text)).toEqual([]);
    expect(mistakesOf('github-actions', text.replace('using:', 'use:'))).not.toEqual([]);
  });
});

test('the release workflow checks first, and publishes with provenance', () => {
  const text = fs.readFileSync(path.join(WORKFLOWS, 'release.yml'), 'utf8');
  expect(text).toMatch(/id-token: write/);
  expect(text).toMatch(/NPM_CONFIG_PROVENANCE: 'true'/);
  expect(text.indexOf('scripts/check.mjs')).toBeGreaterThan(0);
  expect(text.indexOf('scripts/check.mjs')).toBeLessThan(text.indexOf('changesets/action'));
});

describeWith(['bash'], 'the drill action', () => {
  test('drills each URL, with the assertions, and takes nothing for shell code', async () => {
    const { good, bad } = await backups();
    const assertions =
      'SELECT count(*) = 3 FROM notes\n\nSELECT "$(touch stray)" IS NOT NULL\n'.replaceAll(
        '"',
        "'",
      );
    const passed = drill({ URLS: `file://${good}\n`, ASSERTIONS: assertions });
    expect(passed.status, passed.output).toBe(0);
    expect(passed.files).toEqual(['sluice', 'step.sh']);
    const failed = drill({ URLS: `file://${good}\nfile://${bad}\n`, ASSERTIONS: '' });
    expect(failed.status, failed.output).not.toBe(0);
    const wrong = drill({ URLS: `file://${good}`, ASSERTIONS: 'SELECT count(*) = 4 FROM notes' });
    expect(wrong.status, wrong.output).toBe(12);
  });
});

/** A backup, and a folder without one. */
async function backups(): Promise<{ good: string; bad: string }> {
  const folder = temporaryFolder('action');
  const database = path.join(folder, 'app.db');
  addRows(database, 3);
  const good = path.join(folder, 'good');
  const { code } = await runProcess(['replicate', '-once', database, `file://${good}`]);
  expect(code).toBe(0);
  return { good, bad: path.join(folder, 'bad') };
}

interface Action {
  readonly runs: { readonly steps: readonly { readonly name?: string; readonly run: string }[] };
}

/** Runs the last step as GitHub does. */
function drill(env: Readonly<Record<string, string>>): {
  status: number | null;
  output: string;
  files: string[];
} {
  const { runs } = parse(fs.readFileSync(ACTION, 'utf8')) as Action;
  const folder = temporaryFolder('step');
  const script = path.join(folder, 'step.sh');
  fs.writeFileSync(script, runs.steps.at(-1)?.run ?? '');
  const program = `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`;
  fs.writeFileSync(path.join(folder, 'sluice'), program, { mode: 0o755 });
  const { status, stdout, stderr } = spawnSync(
    needTool('bash'),
    ['--noprofile', '--norc', '-eo', 'pipefail', script],
    {
      cwd: folder,
      env: { ...process.env, ...env, PATH: `${folder}:${process.env['PATH']}` },
      encoding: 'utf8',
    },
  );
  return { status, output: stdout + stderr, files: fs.readdirSync(folder).sort() };
}

function mistakesOf(schema: string, text: string): string[] {
  const folder = path.join(path.dirname(needTool('github-schemas')), 'builtin_schemas', 'vendor');
  const json = JSON.parse(fs.readFileSync(path.join(folder, `${schema}.json`), 'utf8')) as object;
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(json);
  validate(parse(text));
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
