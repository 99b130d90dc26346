/** Databases of a directory come, go and get other names while they are replicated. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { DatabaseStatus } from '@sluice/core';
import type { ListAnswer, ReloadAnswer } from '../../src/controlling/answers.ts';
import { EXIT_CODES } from '../../src/exit-codes.ts';
import { parseOutput } from '../docs/json-schemas.ts';
import { addRows, countRows } from '../support/database.ts';
import { CLIProcess, RUNTIME_FOLDER } from '../support/process.ts';
import { rowsAt } from '../support/scene.ts';
import { sluice as runHere, type Outcome } from '../support/shell.ts';
import { temporaryFolder } from '../support/temporary.ts';

vi.setConfig({ testTimeout: 300_000 });

const WAIT = { timeout: 120_000, interval: 200 };

interface Scene {
  readonly folder: string;
  readonly dir: string;
  readonly file: (name: string) => string;
  readonly backup: (name: string) => string;
  readonly configure: (more?: string, ...others: readonly string[]) => void;
  readonly sluice: (...words: readonly string[]) => Promise<Outcome>;
  /** Names of the replicated databases of the directory, sorted. */
  readonly listed: () => Promise<string[]>;
  readonly start: () => CLIProcess;
}

function newScene(...names: readonly string[]): Scene {
  const folder = temporaryFolder();
  const dir = path.join(folder, 'data');
  fs.mkdirSync(dir);
  const file = (name: string): string => path.join(dir, name);
  for (const name of names) {
    fs.mkdirSync(path.dirname(file(name)), { recursive: true });
    addRows(file(name), 3);
  }
  const config = path.join(folder, 'sluice.yml');
  const configure: Scene['configure'] = (more = ', recursive: true', ...others) => {
    const replica = `replica: { path: ${folder}/backup }`;
    const entry = `{ dir: ${dir}, pattern: '*.db'${more}, ${replica} }`;
    fs.writeFileSync(config, `dbs: [${[entry, ...others].join(', ')}]\n`);
  };
  configure();
  const sluice = async (...words: readonly string[]): Promise<Outcome> =>
    await runHere([...words, '-config', config], { XDG_RUNTIME_DIR: RUNTIME_FOLDER });
  return {
    folder,
    dir,
    file,
    backup: (name) => path.join(folder, 'backup', name),
    configure,
    sluice,
    listed: async () => {
      const { stdout } = await sluice('list', '-json');
      const { databases } = parseOutput('list', stdout) as ListAnswer;
      return databases
        .filter(({ status, state }) => status === 'replicating' && state === 'following')
        .map((each) => path.relative(dir, each.path))
        .sort();
    },
    start: () => new CLIProcess(['replicate', '-config', config]),
  };
}

async function end(replicator: CLIProcess): Promise<void> {
  replicator.kill('SIGTERM');
  const { code, stdout } = await replicator.ended();
  expect(code, stdout).toBe(0);
}

test('databases that appear are replicated, and those that are removed are restored by their path', async () => {
  const { folder, file, backup, sluice, listed, start } = newScene('a.db', 'sub/b.db');
  fs.writeFileSync(file('text.db'), 'this is not a database');
  const replicator = start();
  await expect.poll(listed, WAIT).toEqual(['a.db', 'sub/b.db']);
  // By one rename, by a write to an empty file, and in a new folder.
  addRows(path.join(folder, 'made-elsewhere'), 2);
  fs.renameSync(path.join(folder, 'made-elsewhere'), file('c.db'));
  fs.mkdirSync(file('new'));
  addRows(file('new/d.db'), 4);
  await expect.poll(listed, WAIT).toEqual(['a.db', 'c.db', 'new/d.db', 'sub/b.db']);
  addRows(file('a.db'), 2);
  expect((await sluice('sync', '-wait', file('a.db'))).code).toBe(0);
  fs.rmSync(file('a.db'));
  await replicator.says(/a\.db was removed or renamed: .*; every destination has everything/);
  await expect.poll(listed, WAIT).toEqual(['c.db', 'new/d.db', 'sub/b.db']);
  const output = path.join(folder, 'restored.db');
  expect((await sluice('restore', '-o', output, file('a.db'))).code).toBe(0);
  expect(countRows(output)).toBe(5);
  await end(replicator);
  const { stdout } = await replicator.ended();
  expect(stdout.match(/text\.db is left alone/g)).toHaveLength(1);
  expect(await rowsAt(backup('new/d.db'))).toBe(4);
  expect(await rowsAt(backup('c.db'))).toBe(2);
});

test('a renamed database has a replica of its own, and a new file under the old name is not mixed with it', async () => {
  const { file, backup, sluice, listed, start } = newScene('a.db');
  const replicator = start();
  await expect.poll(listed, WAIT).toEqual(['a.db']);
  await sluice('sync', '-wait');
  // As a rotation does it: at once, the old name is never missing for long.
  fs.renameSync(file('a.db'), file('old.db'));
  addRows(file('a.db'), 10);
  await expect.poll(listed, WAIT).toEqual(['a.db', 'old.db']);
  addRows(file('old.db'), 1);
  addRows(file('a.db'), 1);
  await expect
    .poll(async () => (await sluice('sync', '-wait', '-timeout', '20s')).code, WAIT)
    .toBe(0);
  await end(replicator);
  expect(await rowsAt(backup('a.db'))).toBe(11);
  expect(await rowsAt(backup('old.db'))).toBe(4);
});

test('a renamed database ends under its old name before it begins under the new one', async () => {
  const { file, backup, sluice, listed, start } = newScene('a.db');
  const replicator = start();
  await expect.poll(listed, WAIT).toEqual(['a.db']);
  await sluice('sync', '-wait');
  fs.renameSync(file('a.db'), file('b.db'));
  await expect.poll(listed, WAIT).toEqual(['b.db']);
  addRows(file('b.db'), 1);
  await end(replicator);
  const { stdout } = await replicator.ended();
  const removed = stdout.indexOf('a.db was removed or renamed');
  expect(removed).toBeGreaterThan(0);
  expect(stdout.indexOf(`replicating ${file('b.db')}`)).toBeGreaterThan(removed);
  expect(await rowsAt(backup('a.db'))).toBe(3);
  expect(await rowsAt(backup('b.db'))).toBe(4);
});

test('a hard link is no second database', async () => {
  const { file, backup, listed, start } = newScene('a.db');
  const replicator = start();
  await expect.poll(listed, WAIT).toEqual(['a.db']);
  fs.linkSync(file('a.db'), file('link.db'));
  await replicator.says(/link\.db is left alone: it is another name of .*a\.db/);
  expect(await listed()).toEqual(['a.db']);
  await end(replicator);
  expect(fs.existsSync(backup('link.db'))).toBe(false);
});

test('a directory that cannot be read keeps its databases, and one that was missing is found', async () => {
  const { folder, dir, file, backup, sluice, listed, start } = newScene('a.db');
  fs.appendFileSync(path.join(folder, 'sluice.yml'), 'addr: 127.0.0.1:0\n');
  const replicator = start();
  const [, page] = await replicator.says(/metrics at (http:\/\/[^/]+)/);
  await expect.poll(listed, WAIT).toEqual(['a.db']);
  await sluice('sync', '-wait');
  fs.renameSync(dir, path.join(folder, 'away'));
  await replicator.says(/the databases in .*data stay as they are: .*ENOENT/);
  // What may be in it is not backed up.
  const health = await fetch(`${page}/status`);
  expect(health.status).toBe(503);
  const { databases } = (await health.json()) as { databases: DatabaseStatus[] };
  expect(databases).toMatchObject([
    { path: file('a.db') },
    { path: dir, problems: [{ message: expect.stringMatching(/cannot be looked for/) as string }] },
  ]);
  const reload = await sluice('reload', '-json');
  expect(parseOutput('reload', reload.stdout)).toMatchObject({ removed: [], unchanged: 1 });
  const status = await sluice('status');
  expect(status.code).toBe(3);
  expect(status.stderr).toContain('nothing of the directory');
  const sync = await sluice('sync', '-wait');
  expect([sync.code, sync.stderr]).toEqual([
    EXIT_CODES.database,
    expect.stringMatching(/search .*data for databases/),
  ]);
  fs.renameSync(path.join(folder, 'away'), dir);
  addRows(file('a.db'), 1);
  await expect.poll(async () => (await sluice('sync', '-wait', file('a.db'))).code, WAIT).toBe(0);
  expect(await rowsAt(backup('a.db'))).toBe(4);
  await end(replicator);
});

test('another volume under the same path says nothing about the databases', async () => {
  const { folder, dir, file, backup, sluice, listed, start } = newScene('a.db');
  const [disk, shared] = [path.join(folder, 'disk'), fs.mkdtempSync('/dev/shm/sluice-cli-')];
  onTestFinished(() => fs.rmSync(shared, { recursive: true }));
  fs.renameSync(dir, disk);
  fs.symlinkSync(disk, dir);
  const replicator = start();
  await expect.poll(listed, WAIT).toEqual(['a.db']);
  fs.rmSync(dir);
  fs.symlinkSync(shared, dir);
  await replicator.says(/the databases in .*data stay as they are: it is on another volume/);
  fs.rmSync(dir);
  fs.symlinkSync(disk, dir);
  addRows(file('a.db'), 1);
  await expect.poll(async () => (await sluice('sync', '-wait', file('a.db'))).code, WAIT).toBe(0);
  expect(await rowsAt(backup('a.db'))).toBe(4);
  await end(replicator);
  const { stdout } = await replicator.ended();
  expect(stdout).not.toContain('was removed or renamed');
});

test('a reload changes the settings of a directory, and a named database leaves it', async () => {
  const { folder, file, configure, sluice, listed, start } = newScene('a.db', 'sub/b.db');
  const replicator = start();
  await expect.poll(listed, WAIT).toEqual(['a.db', 'sub/b.db']);
  const reload = async (): Promise<ReloadAnswer> => {
    const { code, stdout, stderr } = await sluice('reload', '-json');
    expect(code, stderr).toBe(0);
    return parseOutput('reload', stdout) as ReloadAnswer;
  };
  const own = `{ path: ${file('a.db')}, replica: { path: ${folder}/own } }`;
  configure(', recursive: true', own);
  expect(await reload()).toMatchObject({ changed: [file('a.db')], unchanged: 1 });
  configure('', own);
  expect(await reload()).toMatchObject({ removed: [file('sub/b.db')], unchanged: 1 });
  expect((await sluice('sync', '-wait', file('a.db'))).code).toBe(0);
  expect(await rowsAt(path.join(folder, 'own'))).toBe(3);
  const inside = await sluice(
    'register',
    '-replica',
    `file://${folder}/backup/x`,
    file('sub/b.db'),
  );
  expect([inside.code, inside.stderr]).toEqual([
    2,
    expect.stringContaining('is inside the path') as string,
  ]);
  await end(replicator);
});

test('a database that was unregistered does not come back with the next look', async () => {
  const { file, sluice, listed, start } = newScene('a.db', 'b.db');
  const replicator = start();
  await expect.poll(listed, WAIT).toEqual(['a.db', 'b.db']);
  expect((await sluice('unregister', file('a.db'))).code).toBe(0);
  const others = ['b.db'];
  for (const name of ['c.db', 'd.db', 'e.db']) {
    addRows(file(name), 1);
    others.push(name);
    await expect.poll(listed, WAIT).toEqual(others);
  }
  // These looks have seen a.db, too.
  expect((await sluice('list')).stdout).not.toContain(file('a.db'));
  expect((await sluice('register', file('a.db'))).code).toBe(0);
  await expect.poll(listed, WAIT).toEqual(['a.db', ...others]);
  await end(replicator);
});

test('-once fails if a directory cannot be searched', async () => {
  const { dir, sluice } = newScene('a.db');
  fs.renameSync(dir, `${dir}-away`);
  const { code, stderr } = await sluice('replicate', '-once');
  expect([code, stderr]).toEqual([2, expect.stringMatching(/search .*data for databases/)]);
});

test('-once sends every database of a directory', async () => {
  const { backup, sluice } = newScene('a.db', 'sub/b.db');
  const { code, stdout } = await sluice('replicate', '-once', '-json');
  expect(code).toBe(0);
  expect((JSON.parse(stdout) as { databases: unknown[] }).databases).toHaveLength(2);
  expect(await rowsAt(backup('sub/b.db'))).toBe(3);
});

test('a pattern that misses the databases of its directory is a problem for every command', async () => {
  const { folder, dir, file, configure, sluice, start } = newScene();
  addRows(file('a.sqlite'), 1);
  configure();
  fs.appendFileSync(path.join(folder, 'sluice.yml'), 'addr: 127.0.0.1:0\n');
  const why = /no file in it matches the pattern \*\.db, and a\.sqlite is a database/;
  const status = await sluice('status', '-json');
  expect([status.code, status.stderr]).toEqual([3, expect.stringMatching(why)]);
  expect(parseOutput('status', status.stdout)).toMatchObject([
    {
      database: dir,
      status: 'no database',
      healthy: false,
      problems: [expect.stringMatching(why)],
    },
  ]);
  const once = await sluice('replicate', '-once');
  expect([once.code, once.stderr]).toEqual([2, expect.stringMatching(why)]);
  const replicator = start();
  await replicator.says(why);
  const [, page] = await replicator.says(/metrics at (http:\/\/[^/]+)/);
  for (const route of ['status', 'readyz']) {
    const answer = await fetch(`${page}/${route}`);
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringMatching(why)]);
  }
  const sync = await sluice('sync', '-wait');
  expect([sync.code, sync.stderr]).toEqual([EXIT_CODES.database, expect.stringMatching(why)]);
  // The pattern was right, after all: its first database is created.
  addRows(file('b.db'), 1);
  await expect.poll(async () => (await fetch(`${page}/readyz`)).status, WAIT).toBe(200);
  await expect.poll(async () => (await sluice('status')).code, WAIT).toBe(0);
  await end(replicator);
});

test('a directory without databases is named, and is no problem', async () => {
  const { folder, dir, configure, sluice, start } = newScene();
  configure();
  fs.appendFileSync(path.join(folder, 'sluice.yml'), 'addr: 127.0.0.1:0\n');
  const why = new RegExp(`there is no database \\*\\.db in ${dir}`);
  const status = await sluice('status', '-json');
  expect([status.code, status.stderr]).toEqual([0, expect.stringMatching(why)]);
  expect(parseOutput('status', status.stdout)).toMatchObject([
    { database: dir, status: 'no database', healthy: true, problems: [], destinations: [] },
  ]);
  fs.mkdirSync(path.join(folder, 'backup'));
  const check = await sluice('check');
  expect([check.code, check.stdout]).toEqual([0, expect.stringContaining(`${folder}/backup`)]);
  const replicator = start();
  await replicator.says(why);
  const [, page] = await replicator.says(/metrics at (http:\/\/[^/]+)/);
  for (const route of ['status', 'readyz']) {
    expect((await fetch(`${page}/${route}`)).status).toBe(200);
  }
  await end(replicator);
});
