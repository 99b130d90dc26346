/** The examples of docs/coming-from-litestream.md, and the configurations in test/fixtures, with Litestream itself. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { describeWith, needTool } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';

const ROOT = path.resolve(import.meta.dirname, '..', '..');
const PAGE = fs.readFileSync(path.join(ROOT, 'docs', 'coming-from-litestream.md'), 'utf8');

function blocks(language: string): string[] {
  const found = PAGE.matchAll(new RegExp('```' + language + '\\n([^]*?)```', 'g'));
  return Array.from(found, ([, text = '']) => text);
}

/** A folder in the place of the root folder, with the programs of the page. */
class Machine {
  readonly folder = temporaryFolder('coming');
  readonly database = this.path('/data/app.db');

  constructor(litestream: string) {
    for (const name of ['etc', 'data', 'mnt/backup', 'tmp', 'bin']) {
      fs.mkdirSync(this.path(`/${name}`), { recursive: true });
    }
    fs.symlinkSync(litestream, this.path('/bin/litestream'));
    const main = path.join(ROOT, 'apps', 'cli', 'dist', 'main.js');
    this.#script('sluice', `exec '${process.execPath}' '${main}' "$@"`);
    this.#script('systemctl', 'echo "$@"');
  }

  path(written: string): string {
    return `${this.folder}${written}`;
  }

  /** `text` with the paths of this machine. */
  here(text: string): string {
    return text.replaceAll(/(?<=[\s/:])\/(etc|data|mnt|tmp)\//g, (found) => this.path(found));
  }

  /** Runs lines of a shell; the first that fails ends them. Returns all output. */
  run(lines: string): string {
    const { status, stdout, stderr } = spawnSync('sh', ['-eux', '-c', this.here(lines)], {
      cwd: this.folder,
      encoding: 'utf8',
      env: { ...process.env, PATH: `${this.path('/bin')}:${process.env['PATH']}` },
    });
    expect(status, stdout + stderr).toBe(0);
    return stdout + stderr;
  }

  #script(name: string, line: string): void {
    fs.writeFileSync(this.path(`/bin/${name}`), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  }
}

function addRow(file: string): void {
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  database.exec('CREATE TABLE IF NOT EXISTS rows (x); INSERT INTO rows VALUES (1)');
  database.close();
}

function countRows(file: string): unknown {
  const database = new Database(file, { readonly: true });
  try {
    return database.prepare('SELECT count(*) FROM rows').pluck().get();
  } finally {
    database.close();
  }
}

describeWith(['litestream-0.5.17'], 'docs/coming-from-litestream.md', () => {
  test('its commands lead from Litestream to Sluice and back, without losing a row', () => {
    const [theirs = '', ours = ''] = blocks('yaml').map((text) => text.replace(/^# .*\n/, ''));
    const [migrate = '', change = '', back = '', ...others] = blocks('sh');
    expect(others).toEqual([]);
    const machine = new Machine(needTool('litestream-0.5.17'));
    fs.writeFileSync(machine.path('/etc/litestream.yml'), machine.here(theirs));

    addRow(machine.database);
    machine.run('litestream replicate -once -config /etc/litestream.yml');
    expect(machine.run(migrate)).toContain('restored and checked in');
    const written = fs.readFileSync(machine.path('/etc/sluice.yml'), 'utf8');
    const [, ...body] = written.split('\n\n');
    expect(body.join('\n\n')).toBe(machine.here(ours));

    addRow(machine.database);
    machine.run(change);
    expect(countRows(machine.path('/tmp/trial.db'))).toBe(2);

    machine.run(back);
    expect(countRows(machine.path('/tmp/back.db'))).toBe(2);
    addRow(machine.database);
    machine.run('litestream replicate -once -config /etc/litestream.yml');
    machine.run('sluice restore -o /tmp/last.db file:///mnt/backup/app.db');
    expect(countRows(machine.path('/tmp/last.db'))).toBe(3);
  });
});

const FIXTURES = path.join(ROOT, 'test', 'fixtures', 'litestream');
const ENVIRONMENT = { APP_KEY_ID: 'id', APP_SECRET_KEY: 'secret', AZURE_SAS: 'sv=1&sig=c2ln' };

for (const [version, tool] of [
  ['0.3', 'litestream-0.3.13'],
  ['0.5', 'litestream-0.5.17'],
] as const) {
  const files = fs.readdirSync(FIXTURES).filter((name) => name.startsWith(version));
  describeWith([tool], `the fixtures of Litestream ${version}`, () => {
    test.each(files)('%s is a configuration of it, with the same databases', (name) => {
      const words = ['databases', '-config', path.join(FIXTURES, name)];
      const env = { ...process.env, ...ENVIRONMENT };
      const theirs = spawnSync(needTool(tool), words, { encoding: 'utf8', env });
      expect(theirs.status, theirs.stderr).toBe(0);
      const main = path.join(ROOT, 'apps', 'cli', 'dist', 'main.js');
      const ours = spawnSync(process.execPath, [main, ...words], { encoding: 'utf8', env });
      expect(databasesOf(ours.stdout)).toEqual(databasesOf(theirs.stdout));
    });
  });
}

/** The first column of a table, without its head and repetitions. */
function databasesOf(table: string): string[] {
  const [, ...rows] = table.trim().split('\n');
  return [...new Set(rows.map((row) => row.replace(/\s.*/, '')))];
}
