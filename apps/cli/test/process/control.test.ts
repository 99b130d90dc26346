/** Commands to a running replicator: databases come, stop and go while it runs. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { parseOutput } from '../docs/json-schemas.ts';
import { addRows } from '../support/database.ts';
import { EXIT_CODES } from '../../src/exit-codes.ts';
import { CLIProcess, RUNTIME_FOLDER, runProcess } from '../support/process.ts';
import { rowsAt } from '../support/scene.ts';
import { sluice as runHere, type Outcome } from '../support/shell.ts';
import { temporaryFolder } from '../support/temporary.ts';

vi.setConfig({ testTimeout: 300_000 });

interface Scene {
  readonly folder: string;
  readonly database: (name: string) => string;
  readonly backup: (name: string) => string;
  readonly config: string;
  readonly replicator: CLIProcess;
  readonly sluice: (...words: readonly string[]) => Promise<Outcome>;
  /** The output of a command with -json, which succeeds. */
  readonly json: (...words: readonly string[]) => Promise<unknown>;
}

/** A replicator of `app`, with the folder `backup/app` as its destination; `new` is another database. */
async function running(...top: readonly string[]): Promise<Scene> {
  const folder = temporaryFolder();
  const config = path.join(folder, 'sluice.yml');
  const database = (name: string): string => path.join(folder, `${name}.db`);
  const backup = (name: string): string => path.join(folder, 'backup', name);
  addRows(database('app'), 5);
  addRows(database('new'), 7);
  const replica = `{ name: folder, path: ${backup('app')} }`;
  const dbs = `dbs: [{ path: ${database('app')}, replica: ${replica} }]`;
  fs.writeFileSync(config, [...top, dbs, ''].join('\n'));
  const replicator = new CLIProcess(['replicate', '-config', config]);
  await replicator.says(/full snapshot sent/);
  const sluice = async (...words: readonly string[]): Promise<Outcome> =>
    await runHere([...words, '-config', config], { XDG_RUNTIME_DIR: RUNTIME_FOLDER });
  const json = async (...words: readonly string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await sluice(...words, '-json');
    expect([code, stderr]).toEqual([0, '']);
    return parseOutput(words[0] ?? '', stdout);
  };
  return { folder, database, backup, config, replicator, sluice, json };
}

async function end(replicator: CLIProcess): Promise<void> {
  replicator.kill('SIGTERM');
  const { code, stdout } = await replicator.ended();
  expect(code, stdout).toBe(0);
}

test('a stopped database got a last sync, and continues when it is started again', async () => {
  const { database, backup, replicator, sluice, json } = await running();
  const app = database('app');
  addRows(app, 1);
  expect(await json('stop', '-dry-run', app)).toEqual({ path: app, status: 'would_stop' });
  const stopped = await json('stop', app);
  expect(stopped).toMatchObject({ status: 'stopped', complete: ['folder'], behind: [] });
  expect(await rowsAt(backup('app'))).toBe(6);
  expect(await json('stop', app)).toEqual({ path: app, status: 'already_stopped' });
  expect(await json('list')).toMatchObject({ databases: [{ path: app, status: 'stopped' }] });
  const status = await sluice('status', app);
  expect(status.stdout).toContain('stopped by a command: "sluice start" continues');
  // What is written meanwhile is not lost: it is sent after the start.
  addRows(app, 2);
  expect(await json('start', app)).toEqual({ path: app, status: 'started' });
  expect(await json('start', app)).toEqual({ path: app, status: 'already_running' });
  await json('sync', '-wait', app);
  expect(await rowsAt(backup('app'))).toBe(8);
  await end(replicator);
});

test('while a database is stopped, another process may have it', async () => {
  const { database, backup, config, replicator, sluice, json } = await running();
  const app = database('app');
  await json('stop', app);
  addRows(app, 1);
  expect((await runProcess(['replicate', '-once', '-config', config])).code).toBe(0);
  const other = new CLIProcess(['replicate', app, `file://${backup('app')}`]);
  await other.says(/continuing after TXID/);
  const refused = await sluice('start', app);
  expect(refused.code).toBe(9);
  expect(refused.stderr).toContain('(STAGING_IN_USE)');
  expect(await json('list')).toMatchObject({ databases: [{ status: 'failed' }] });
  await end(other);
  expect(await json('start', app)).toMatchObject({ status: 'started' });
  await json('sync', '-wait', app);
  expect(await rowsAt(backup('app'))).toBe(6);
  await end(replicator);
});

test('a database that could not be started got no last sync, and the exit code says so', async () => {
  const { database, backup, replicator, sluice } = await running();
  const app = database('app');
  await sluice('stop', app);
  const other = new CLIProcess(['replicate', app, `file://${backup('app')}`]);
  await other.says(/continuing after TXID/);
  await sluice('start', app);
  const stopped = await sluice('stop', app);
  expect([stopped.code, stopped.stdout]).toEqual([
    3,
    expect.stringContaining('folder does not have everything') as string,
  ]);
  await sluice('start', app);
  replicator.kill('SIGTERM');
  const { code, stdout } = await replicator.ended();
  expect(code, stdout).toBe(EXIT_CODES.database);
  expect(stdout).toMatch(/folder is behind: it is not replicated/);
  await end(other);
});

test('a registered database is replicated until it is unregistered, also across a reload', async () => {
  const { database, backup, replicator, sluice, json } = await running();
  const added = database('new');
  const words = ['register', '-replica', `file://${backup('new')}`, added];
  expect(await json(...words, '-dry-run')).toMatchObject({ status: 'would_register' });
  expect(fs.existsSync(backup('new'))).toBe(false);
  expect(await json(...words)).toMatchObject({
    status: 'registered',
    destinations: [{ name: 'file', target: `file://${backup('new')}` }],
  });
  expect(await json(...words)).toMatchObject({ status: 'already_registered' });
  expect(await json('reload')).toMatchObject({ status: 'unchanged', unchanged: 2 });
  expect(await json('list')).toMatchObject({
    databases: [{ origin: 'configuration' }, { path: added, origin: 'registered' }],
  });
  addRows(added, 1);
  expect(await json('unregister', '-dry-run', added)).toMatchObject({ status: 'would_unregister' });
  expect(await json('unregister', added)).toMatchObject({
    status: 'unregistered',
    complete: ['file'],
  });
  expect(await json('unregister', added)).toMatchObject({ status: 'already_unregistered' });
  expect(await rowsAt(backup('new'))).toBe(8);
  // One of the configuration comes back with it.
  const app = database('app');
  expect(await json('unregister', app)).toMatchObject({ status: 'unregistered' });
  expect((await sluice('sync', app)).code).toBe(15);
  expect(await json('register', app)).toMatchObject({ status: 'registered' });
  expect(await json('unregister', app)).toMatchObject({ status: 'unregistered' });
  expect(await json('reload')).toMatchObject({ status: 'reloaded', added: [app] });
  addRows(app, 1);
  await end(replicator);
  expect(await rowsAt(backup('app'))).toBe(6);
});

test('a database that would share a destination or a path is not registered', async () => {
  const { folder, database, backup, replicator, sluice, json } = await running();
  const added = database('new');
  for (const url of [backup('app'), `${backup('app')}/ltx/0`, `${folder}/.app.db-sluice/x`]) {
    const refused = await sluice('register', '-replica', `file://${url}`, added);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining('(CONFIG_INVALID)') as string,
    ]);
  }
  // Also while the other one is stopped.
  await json('stop', database('app'));
  const twice = await sluice('register', '-replica', `file://${backup('app')}`, added);
  expect(twice.stderr).toContain('is already the target of');
  const moved = await sluice('register', '-replica', `file://${backup('b')}`, database('app'));
  expect(moved.stderr).toContain('unregister it first');
  const mistyped = await sluice(
    'register',
    '-dry-run',
    '-replica',
    `file://${backup('b')}`,
    database('nwe'),
  );
  expect(mistyped.stdout).toMatch(
    /nwe\.db: would be replicated to .*; the file does not exist yet\n$/,
  );
  expect(await json('list')).toMatchObject({ databases: [{ path: database('app') }] });
  await end(replicator);
  expect(await rowsAt(backup('app'))).toBe(5);
});

test('a snapshot is made on command, and a reset makes one after a last sync', async () => {
  const { database, backup, replicator, json } = await running();
  const app = database('app');
  addRows(app, 1);
  await json('sync', '-wait', app);
  expect(await json('snapshot', app)).toEqual([{ path: app, snapshot: 'ordered' }]);
  await replicator.says(/full snapshot: it was requested/);
  addRows(app, 2);
  const would = await json('reset', '-dry-run', app);
  expect(would).toMatchObject({ status: 'would_reset', running: true });
  expect(await json('reset', app)).toMatchObject({ status: 'reset', running: true });
  await json('sync', '-wait', app);
  expect(await rowsAt(backup('app'))).toBe(8);
  await end(replicator);
  // Without a configuration it is not known whether the destinations have everything.
  const unknown = await runHere(['reset', app], { XDG_RUNTIME_DIR: RUNTIME_FOLDER });
  expect([unknown.code, unknown.stderr]).toEqual([3, expect.stringContaining('-config') as string]);
  // Without a replicator it is done by the command itself.
  expect(await json('reset', app)).toMatchObject({ status: 'reset', running: false });
  expect(await json('reset', app)).toMatchObject({ files: 0, bytes: 0 });
});

test('a reset removes nothing that a destination does not have yet', async () => {
  const { folder, database, backup, replicator, sluice, json } = await running(
    'shutdown-sync-timeout: 1s',
  );
  const app = database('app');
  await json('sync', '-wait', app);
  const away = path.join(folder, 'away');
  fs.renameSync(backup('app'), away);
  fs.writeFileSync(backup('app'), 'not a folder');
  addRows(app, 3);
  const refused = await sluice('reset', app);
  expect(refused.code).toBe(3);
  expect(refused.stderr).toContain('folder does not have everything that is staged');
  fs.rmSync(backup('app'));
  fs.renameSync(away, backup('app'));
  await json('sync', '-wait', app);
  expect(await rowsAt(backup('app'))).toBe(8);
  await end(replicator);
});

test('a database that the replicator does not have is refused by each command, with the nearest name', async () => {
  const { database, replicator, sluice, json } = await running();
  const typed = database('apq');
  const refused = `${typed}: this replicator does not have it; did you mean ${database('app')}?`;
  for (const command of ['start', 'stop', 'unregister', 'snapshot', 'reset']) {
    const { code, stderr } = await sluice(command, typed);
    expect([code, stderr], command).toEqual([2, expect.stringContaining(refused)]);
  }
  for (const command of ['stop', 'unregister', 'reset']) {
    const { code, stderr } = await sluice(command, '-dry-run', typed);
    expect([code, stderr], command).toEqual([2, expect.stringContaining(refused)]);
  }
  const other = await sluice('unregister', database('something-else'));
  expect([other.code, other.stderr]).toEqual([2, expect.not.stringContaining('did you mean')]);
  expect(await json('list')).toMatchObject({ databases: [{ path: database('app') }] });
  await end(replicator);
});

test('without a replicator, commands for it say so', async () => {
  const { database, config, replicator, sluice } = await running();
  replicator.kill('SIGKILL');
  await replicator.ended();
  for (const words of [['list'], ['reload'], ['stop', database('app')], ['snapshot']]) {
    const { code, stderr } = await sluice(...words);
    expect(code, stderr).toBe(15);
    expect(stderr).toContain(`the replicator of ${config}: none was found`);
  }
});

test('its socket is private, and found through a database if the environment differs', async () => {
  const { database, config, replicator, json } = await running();
  const [info] = (await json('info')) as [{ readonly control: string }];
  const socket = path.join(info.control, 'control', 'socket');
  expect(fs.statSync(socket).mode & 0o777).toBe(0o600);
  expect(fs.statSync(info.control).mode & 0o777).toBe(0o700);
  const other = await runHere(['list', '-json', '-config', config], {
    XDG_RUNTIME_DIR: temporaryFolder(),
  });
  expect(parseOutput('list', other.stdout)).toMatchObject({
    databases: [{ path: database('app') }],
  });
  await end(replicator);
  expect(fs.existsSync(info.control)).toBe(false);
});
