/** `drill -running` and `repair -running`: the replicator does it, and prints what the direct command would print. */

import fs from 'node:fs';
import path from 'node:path';
import { callControl, defaultMetaPath } from '@sluice/core';
import { expect, test, vi } from 'vitest';
import { EXIT_CODES } from '../../src/exit-codes.ts';
import { askReplicator } from '../../src/status/ask.ts';
import { parseOutput } from '../docs/json-schemas.ts';
import { addRows } from '../support/database.ts';
import { CLIProcess, RUNTIME_FOLDER } from '../support/process.ts';
import { sluice as runHere, type Outcome } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

vi.setConfig({ testTimeout: 300_000 });

const FIRST = '0/0000000000000001-0000000000000001.ltx';
const SNAPSHOT = '9/0000000000000001-0000000000000001.ltx';
/** Never ends. */
const ENDLESS =
  'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n';

interface Scene {
  readonly folder: string;
  readonly scratch: string;
  readonly app: string;
  readonly config: string;
  readonly replicator: CLIProcess;
  readonly metrics: () => Promise<string>;
  readonly sluice: (...words: readonly string[]) => Promise<Outcome>;
}

/** A replicator of `app` to `one` and `two`, which has sent everything. */
async function running(): Promise<Scene> {
  const folder = temporaryFolder();
  const app = path.join(folder, 'app.db');
  const scratch = path.join(folder, 'scratch');
  fs.mkdirSync(scratch);
  addRows(app, 5);
  const replicas = ['one', 'two'].map((name) => ({ name, path: path.join(folder, name) }));
  const drill = { every: '24h', scratch, assert: ['SELECT 0'] };
  // No merged file replaces one that a test removes.
  const top = { addr: ':0', levels: [], drill };
  const text = JSON.stringify({ ...top, dbs: [{ path: app, replicas }] });
  const config = writeFile(folder, 'sluice.yml', text);
  const replicator = new CLIProcess(['replicate', '-config', config]);
  const [, origin = ''] = await replicator.says(/metrics at (http:\/\/127\.0\.0\.1:\d+)/);
  const environment = { XDG_RUNTIME_DIR: RUNTIME_FOLDER };
  const sluice = async (...words: readonly string[]): Promise<Outcome> =>
    await runHere([...words, '-config', config], environment);
  await replicator.says(/first in/); // the background has begun
  await expect.poll(async () => (await sluice('sync', '-wait')).code).toBe(0);
  const hasSnapshots = (): boolean =>
    replicas.every((each) => fs.existsSync(path.join(each.path, 'ltx', SNAPSHOT)));
  await expect.poll(hasSnapshots).toBe(true);
  const metrics = async (): Promise<string> => await (await fetch(`${origin}/metrics`)).text();
  return { folder, scratch, app, config, replicator, metrics, sluice };
}

/** How often each destination was listed. */
async function listingsOf(app: string): Promise<readonly number[]> {
  const place = { path: app, metaPath: defaultMetaPath(app) };
  const asked = await askReplicator(place, AbortSignal.timeout(60_000));
  if (asked.kind !== 'answered') throw new Error(`ask the replicator of ${app}: ${asked.kind}`);
  return asked.state.destinations.map(({ listings = 0 }) => listings);
}

/**
 * Within seconds after a write the replicator lists a folder again, and sends what is missing. Resolves after that
 * listing: the next one follows in a minute.
 */
async function listedAgain(app: string): Promise<void> {
  const before = await listingsOf(app);
  const isListed = async (): Promise<boolean> =>
    (await listingsOf(app)).every((count, index) => count > (before[index] ?? 0));
  await expect.poll(isListed, { timeout: 200_000, interval: 100 }).toBe(true);
}

async function end(replicator: CLIProcess): Promise<string> {
  replicator.kill('SIGTERM');
  const { code, stdout } = await replicator.ended();
  expect(code, stdout).toBe(0);
  return stdout;
}

test('a drill by the replicator is the one of the command, and is recorded', async () => {
  const { app, scratch, replicator, metrics, sluice } = await running();
  const { code, stdout, stderr } = await sluice('drill', '-running', '-json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(parseOutput('drill', stdout)).toMatchObject([
    { database: app, name: 'one', result: 'ok', kind: 'full', assertions: [] },
    { database: app, name: 'two', result: 'ok', comparison: { kind: 'equal' } },
  ]);
  const one = await sluice('drill', '-running', '-replica', 'two', '-assert', 'SELECT 0', app);
  expect(one).toMatchObject({ code: EXIT_CODES.drillFailed, stderr: '' });
  expect(one.stdout).toContain(`${app}: two (`);
  expect(one.stdout).toContain('): failed');
  const txid = await sluice('drill', '-running', '-txid', '0000000000000001', app);
  expect(txid.stdout).toContain('restored TXID 0000000000000001');
  const status = await sluice('status', '-json', app);
  expect(parseOutput('status', status.stdout)).toMatchObject([
    { destinations: [{ drill: { result: 'ok', started_by: 'command' } }, {}] },
  ]);
  await expect.poll(metrics).toMatch(/sluice_drill_last_result\{[^}]*"one",result="ok"\} 1/);
  expect(fs.readdirSync(scratch)).toEqual([]);
  await replicator.says(/level=INFO msg="drill of one: ok"/);
  await replicator.says(/level=ERROR msg="drill of two: failed: /);
  await end(replicator);
});

test('a drill ends when its client goes, when its database goes, and with the replicator', async () => {
  const { app, scratch, config, replicator, sluice } = await running();
  const words = ['drill', '-running', '-replica', 'one', '-assert', ENDLESS, app];
  const begin = async (): Promise<CLIProcess> => {
    const client = new CLIProcess([...words, '-config', config]);
    const restored = path.join(scratch, 'sluice-drill-*', '*', 'restored.db-shm');
    await expect.poll(() => fs.globSync(restored).length).toBe(1);
    return client;
  };
  const isEmpty = (): boolean => fs.readdirSync(scratch).length === 0;

  const gone = await begin();
  gone.kill('SIGINT');
  expect(await gone.ended()).toMatchObject({ code: 130 });
  await expect.poll(isEmpty).toBe(true);

  // A second client waits for its turn, and does not hold the database either.
  const [stopped, waiting] = [await begin(), new CLIProcess([...words, '-config', config])];
  expect(await sluice('stop', app)).toMatchObject({ code: 0 });
  for (const client of [stopped, waiting]) {
    const { code, stderr } = await client.ended();
    expect([code, stderr]).toEqual([expect.any(Number), expect.stringMatching(/ended|stopp/)]);
    expect(code).not.toBe(0);
  }
  await expect.poll(isEmpty).toBe(true);
  const busy = await sluice('drill', '-running', app);
  expect(busy.stderr).toContain('(DATABASE_BUSY)');
  expect(await sluice('start', app)).toMatchObject({ code: 0 });

  const last = await begin();
  await end(replicator);
  expect((await last.ended()).code).not.toBe(0);
  expect(isEmpty()).toBe(true);
});

test('a repair by the replicator is the one of the command, and is recorded', async () => {
  const { folder, app, replicator, metrics, sluice } = await running();
  await listedAgain(app); // it would send the files again
  const file = path.join(folder, 'one', 'ltx', FIRST);
  const snapshot = path.join(folder, 'one', 'ltx', SNAPSHOT);
  fs.rmSync(file);
  fs.rmSync(snapshot);
  const dry = await sluice('repair', '-running', '-dry-run');
  expect(dry).toMatchObject({ code: EXIT_CODES.notMended, stderr: '' });
  expect(dry.stdout).toMatch(/one \(.*\): 0 files, lacked 1 moment, 1 file to copy/);
  expect(dry).toEqual(await sluice('repair', '-dry-run'));
  expect([fs.existsSync(file), fs.existsSync(snapshot)]).toEqual([false, false]);
  expect(await metrics()).not.toContain('sluice_repair_last_result{');

  const { code, stdout, stderr } = await sluice('repair', '-running', '-json', app);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(parseOutput('repair', stdout)).toMatchObject([
    { database: app, result: 'mended', dry_run: false, destinations: [{ replica: 'one' }, {}] },
  ]);
  await replicator.says(/level=INFO msg="repaired by a command: mended, 1 file copied to one"/);
  const labels = `db="${app}",destination="one"`;
  await expect.poll(metrics).toContain(`sluice_repair_last_result{${labels},result="mended"} 1`);
  expect(await metrics()).toContain(`sluice_repair_last_copied_files{${labels}} 1`);
  const status = await sluice('status', app);
  expect(status.stdout).toMatch(/last repair: mended, \S+; 1 files \(.*\) copied to one/);
  // Also the direct command. The replicator lists each destination now, and the next time in a minute.
  expect(await sluice('sync', '-wait', app)).toMatchObject({ code: 0 });
  fs.rmSync(path.join(folder, 'two', 'ltx', FIRST));
  fs.rmSync(path.join(folder, 'two', 'ltx', SNAPSHOT));
  expect(await sluice('repair', '-read-data', app)).toMatchObject({ code: 0 });
  const two = `db="${app}",destination="two"`;
  await expect.poll(metrics).toContain(`sluice_repair_last_copied_files{${two}} 1`);
  const whole = await sluice('repair', '-running', '-read-data=1/2', app);
  expect(whole).toMatchObject({ code: 0, stderr: '' });
  expect(whole.stdout).toContain('lacks nothing');
  await end(replicator);
});

const REFUSED: readonly (readonly [readonly string[], RegExp])[] = [
  [['drill', '-tmp', '/tmp'], /-tmp and -running cannot be used together.*drill\.scratch/],
  [['drill', 'file:///b'], /-running needs a database, but file:\/\/\/b is a URL/],
  [['drill', '-replica', 'six'], /there is no destination six; .* has one, two/],
  [['drill', '/no.db'], /the running replicator does not have it/],
  [['repair', '/no.db'], /the running replicator does not have it/],
  [['repair', '-log-level', 'debug'], /-log-level and -running cannot be used/],
];

test('what the replicator cannot do is refused', async () => {
  const { replicator, sluice } = await running();
  for (const [words, message] of REFUSED) {
    const { code, stdout, stderr } = await sluice(...words, '-running');
    expect({ words, code, stdout }).toEqual({ words, code: 2, stdout: '' });
    expect(stderr).toMatch(message);
  }
  await end(replicator);
});

test('a client hears how far a drill and a repair are, and input of another program is refused', async () => {
  const { app, replicator, sluice } = await running();
  const info = parseOutput('info', (await sluice('info', '-json')).stdout);
  const [{ control: metaPath }] = info as [{ control: string }];
  const call = async (command: string, input: object): Promise<unknown[]> => {
    const heard: unknown[] = [];
    const onProgress = (progress: unknown): void => void heard.push(progress);
    const limits = { timeoutMs: 120_000, onProgress };
    await callControl({ database: app, metaPath, command, input, ...limits });
    return heard;
  };
  const state = { at: 'latest', integrity_check: 'quick', assertions: [] };
  const drill = { path: app, replica: 'one', ...state };
  const number = expect.any(Number) as number;
  const [first, ...others] = await call('drill', drill);
  expect(first).toEqual({ waits: true });
  expect(others).toContainEqual({ drill: { doneBytes: number, totalBytes: number } });
  const repair = { path: app, dry_run: true, read: 'all' };
  expect(await call('repair', repair)).toContainEqual({ repair: { examined: number, copied: 0 } });

  for (const wrong of [
    { ...drill, at: undefined },
    { ...drill, txid: '1' },
    { ...drill, integrity_check: 'fast' },
    { ...drill, assertions: 'SELECT 1' },
  ]) {
    await expect(call('drill', wrong)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  }
  for (const wrong of [
    {},
    { ...repair, dry_run: 'yes' },
    { ...repair, read: 'some' },
    { ...repair, read: { number: 3, count: 2 } },
  ]) {
    await expect(call('repair', wrong)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  }
  const odd = await callControl({
    ...{ database: app, metaPath, command: 'drill', timeoutMs: 120_000 },
    input: { ...drill, at: 'one fine day' },
  });
  expect(odd).toMatchObject({ report: { result: 'inconclusive' } });
  await end(replicator);
});

test('without a replicator, the error says so', async () => {
  const folder = temporaryFolder();
  const config = writeFile(
    folder,
    'sluice.yml',
    `dbs: [{ path: ${folder}/app.db, replica: { path: ${folder}/one } }]\n`,
  );
  for (const command of ['drill', 'repair']) {
    const { code, stderr } = await runHere([command, '-running', '-config', config], {
      XDG_RUNTIME_DIR: RUNTIME_FOLDER,
    });
    expect({ code, stderr }).toEqual({
      code: 15,
      stderr: expect.stringContaining('none was found'),
    });
  }
});

test('a database that was registered by a command is in no file, so its process cannot find it', async () => {
  const { folder, replicator, sluice } = await running();
  const added = path.join(folder, 'new.db');
  addRows(added, 1);
  const registered = await sluice('register', '-replica', `file://${folder}/three`, added);
  expect(registered.code, registered.stderr).toBe(0);
  for (const command of ['drill', 'repair']) {
    const { code, stderr } = await sluice(command, '-running', added);
    expect(code).toBe(2);
    expect(stderr).toContain('it was registered by a command; put the database into a file');
  }
  await end(replicator);
});
