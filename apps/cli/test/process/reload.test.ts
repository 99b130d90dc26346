/** SIGHUP and `sluice reload`: only what has changed restarts, and nothing is lost. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import type { ReloadAnswer } from '../../src/controlling/answers.ts';
import { parseOutput } from '../docs/json-schemas.ts';
import { addRows } from '../support/database.ts';
import { CLIProcess, RUNTIME_FOLDER, type Ended } from '../support/process.ts';
import { rowsAt } from '../support/scene.ts';
import { sluice as runHere, type Outcome } from '../support/shell.ts';
import { temporaryFolder } from '../support/temporary.ts';

vi.setConfig({ testTimeout: 300_000 });

interface Scene {
  readonly folder: string;
  readonly database: (name: string) => string;
  readonly backup: (name: string) => string;
  /** Writes the configuration: lines for the top level, then one line for each database. */
  readonly configure: (lines: readonly string[], ...top: string[]) => void;
  readonly line: (name: string, backup?: string, more?: string) => string;
  readonly sluice: (...words: readonly string[]) => Promise<Outcome>;
  readonly reload: (...flags: readonly string[]) => Promise<ReloadAnswer>;
  readonly start: () => Promise<CLIProcess>;
}

/** Databases with 5 rows each. */
function newScene(...names: readonly string[]): Scene {
  const folder = temporaryFolder();
  const config = path.join(folder, 'sluice.yml');
  const database = (name: string): string => path.join(folder, `${name}.db`);
  const backup = (name: string): string => path.join(folder, 'backup', name);
  for (const name of names) addRows(database(name), 5);
  const sluice = async (...words: readonly string[]): Promise<Outcome> =>
    await runHere([...words, '-config', config], { XDG_RUNTIME_DIR: RUNTIME_FOLDER });
  return {
    folder,
    database,
    backup,
    sluice,
    configure: (lines, ...top) =>
      fs.writeFileSync(
        config,
        [...top, 'dbs:', ...lines.map((each) => `  - ${each}`), ''].join('\n'),
      ),
    line: (name, to = name, more = '') =>
      `{ path: ${database(name)}, replica: { name: folder, path: ${backup(to)} }${more} }`,
    reload: async (...flags) => {
      const { code, stdout, stderr } = await sluice('reload', '-json', ...flags);
      expect([code, stderr]).toEqual([0, '']);
      return parseOutput('reload', stdout) as ReloadAnswer;
    },
    start: async () => {
      const replicator = new CLIProcess(['replicate', '-config', config]);
      await replicator.says(/full snapshot sent/);
      return replicator;
    },
  };
}

async function end(replicator: CLIProcess): Promise<Ended> {
  replicator.kill('SIGTERM');
  const ended = await replicator.ended();
  expect(ended.code, ended.stdout).toBe(0);
  return ended;
}

/** How often a database was opened. */
function starts({ stdout }: Ended, database: string): number {
  const opened = /msg="(?:taking a full snapshot|continuing after)/;
  return stdout.split('\n').filter((line) => opened.test(line) && line.includes(`db=${database}`))
    .length;
}

test('a reload restarts only what has changed, and every row is at its destination', async () => {
  const { database, backup, configure, line, reload, start, sluice } = newScene('a', 'b', 'c', 'd');
  configure([line('a'), line('b'), line('c')]);
  const replicator = await start();
  await sluice('sync', '-wait');
  addRows(database('a'), 1);
  addRows(database('b'), 2);
  addRows(database('c'), 3);
  const wanted = [line('a'), line('b', 'moved'), line('d')];
  configure(wanted);
  const changes = {
    added: [database('d')],
    removed: [database('c')],
    changed: [database('b')],
    rescheduled: [],
    unchanged: 1,
    failed: [],
  };
  expect(await reload('-dry-run')).toMatchObject({ status: 'would_reload', ...changes });
  expect(fs.existsSync(backup('moved'))).toBe(false);
  expect(await reload()).toMatchObject({ status: 'reloaded', ...changes });
  // What was removed got a last sync, and nothing is written there afterwards.
  expect(await rowsAt(backup('c'))).toBe(8);
  expect((await sluice('sync', '-wait')).code).toBe(0);
  expect(await rowsAt(backup('a'))).toBe(6);
  expect(await rowsAt(backup('moved'))).toBe(7);
  expect(await rowsAt(backup('d'))).toBe(5);
  expect(await reload()).toMatchObject({ status: 'unchanged', unchanged: 3 });
  const ended = await end(replicator);
  expect(['a', 'b', 'c', 'd'].map((name) => starts(ended, database(name)))).toEqual([1, 2, 1, 1]);
});

test('two databases may exchange their destinations, and are never mixed', async () => {
  const { database, backup, configure, line, reload, start, sluice } = newScene('a', 'b');
  addRows(database('b'), 10);
  configure([line('a', 'one'), line('b', 'two')]);
  const replicator = await start();
  await sluice('sync', '-wait');
  configure([line('a', 'two'), line('b', 'one')]);
  expect((await reload()).changed).toEqual([database('a'), database('b')]);
  const list = await sluice('list', '-json');
  expect(parseOutput('list', list.stdout)).toMatchObject({
    databases: [{ status: 'replicating' }, { status: 'replicating' }],
  });
  addRows(database('a'), 1);
  await sluice('sync', '-wait', '-timeout', '5s');
  replicator.kill('SIGTERM');
  await replicator.ended();
  // Each replica still has only rows of one of them: the other one is refused there.
  const counts = [await rowsAt(backup('one')), await rowsAt(backup('two'))];
  expect([5, 6, 15]).toContain(counts[0]);
  expect([5, 6, 15]).toContain(counts[1]);
});

test('an invalid configuration changes nothing, and says why', async () => {
  const { database, backup, configure, line, start, sluice } = newScene('a', 'b');
  configure([line('a')]);
  const replicator = await start();
  configure([line('b'), '{ path: /x, replicas: [] }'], 'adr: ":1"');
  const refused = await sluice('reload');
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain('has 2 problems');
  expect(refused.stderr).toMatch(/sluice\.yml:1: adr is not a key .*did you mean addr/);
  replicator.kill('SIGHUP');
  await replicator.says(/level=ERROR msg="SIGHUP: nothing was changed: .*adr is not a key/);
  const list = await sluice('list', '-json');
  // It is found although the configuration is invalid.
  expect(JSON.parse(list.stdout)).toMatchObject({
    databases: [{ path: database('a'), status: 'replicating' }],
  });
  addRows(database('a'), 1);
  await end(replicator);
  expect(await rowsAt(backup('a'))).toBe(6);
});

test('SIGHUP reloads, and says which settings need a restart', async () => {
  const { database, backup, configure, line, start } = newScene('a', 'b');
  configure([line('a')]);
  const replicator = await start();
  configure([line('a'), line('b')], 'addr: "127.0.0.1:0"', 'shutdown-sync-timeout: 10s');
  replicator.kill('SIGHUP');
  await replicator.says(/was read again: 1 added, 0 removed, 0 changed, 1 as before/);
  await replicator.says(/level=WARN msg="addr in .* has changed, and applies after a restart/);
  addRows(database('b'), 1);
  await end(replicator);
  expect(await rowsAt(backup('b'))).toBe(6);
});

test('files that a removed database could not send stay staged, and are sent when it comes back', async () => {
  const { folder, database, backup, configure, line, reload, start, sluice } = newScene('a', 'b');
  const top = ['shutdown-sync-timeout: 1s', 'shutdown-sync-interval: 100ms'];
  configure([line('a'), line('b')], ...top);
  const replicator = await start();
  await sluice('sync', '-wait');
  const away = path.join(folder, 'away');
  fs.renameSync(backup('b'), away);
  fs.writeFileSync(backup('b'), 'not a folder');
  addRows(database('b'), 3);
  configure([line('a')], ...top);
  expect((await reload()).removed).toEqual([database('b')]);
  fs.rmSync(backup('b'));
  fs.renameSync(away, backup('b'));
  expect(await rowsAt(backup('b'))).toBe(5);
  configure([line('a'), line('b')], ...top);
  expect((await reload()).added).toEqual([database('b')]);
  expect((await sluice('sync', '-wait')).code).toBe(0);
  expect(await rowsAt(backup('b'))).toBe(8);
  await end(replicator);
});

test('a command line cannot be reloaded, and goes on', async () => {
  const { database, backup } = newScene('a');
  const replicator = new CLIProcess(['replicate', database('a'), `file://${backup('a')}`]);
  await replicator.says(/full snapshot sent/);
  replicator.kill('SIGHUP');
  await replicator.says(/nothing was changed: .* so it has no file/);
  const list = await runHere(['list', '-json', database('a')], {
    XDG_RUNTIME_DIR: RUNTIME_FOLDER,
  });
  expect(JSON.parse(list.stdout)).toMatchObject({ databases: [{ status: 'replicating' }] });
  addRows(database('a'), 1);
  await end(replicator);
  expect(await rowsAt(backup('a'))).toBe(6);
});
