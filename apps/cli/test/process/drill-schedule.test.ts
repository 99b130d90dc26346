/** `drill` in the configuration: the replicator drills its destinations in the background. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { addRows } from '../support/database.ts';
import { CLIProcess, runProcess } from '../support/process.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

const NAMES = ['one', 'two', 'three'] as const;
const NEWEST = '0000000000000001';
const SNAPSHOT = 'ltx/9/0000000000000001-0000000000000001.ltx';
/** Never ends. */
const ENDLESS =
  'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n';

interface Scene {
  readonly folder: string;
  readonly scratch: string;
  readonly config: string;
}

/** A database with a backup at three destinations, and a configuration with these keys of `drill`. */
async function scene(drill: Readonly<Record<string, unknown>>): Promise<Scene> {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  addRows(database, 5);
  const scratch = path.join(folder, 'scratch');
  fs.mkdirSync(scratch);
  const replicas = NAMES.map((name) => ({ name, path: path.join(folder, name) }));
  const dbs = [{ path: database, replicas }];
  // JSON is YAML.
  const plain = writeFile(folder, 'plain.yml', JSON.stringify({ dbs }));
  expect((await runProcess(['replicate', '-once', '-config', plain])).code).toBe(0);
  const text = JSON.stringify({ dbs, drill: { scratch, ...drill } });
  return { folder, scratch, config: writeFile(folder, 'sluice.yml', text) };
}

const certificateOf = ({ folder }: Scene, name: string): string =>
  path.join(folder, name, 'sluice-drill.json');

interface Certificate {
  readonly result: string;
  readonly kind: string;
  readonly txid: string;
  readonly problems: readonly { readonly object?: string }[];
}

function readCertificates(at: Scene): (Certificate | undefined)[] {
  return NAMES.map((name) => {
    const file = certificateOf(at, name);
    return fs.existsSync(file)
      ? (JSON.parse(fs.readFileSync(file, 'utf8')) as Certificate)
      : undefined;
  });
}

const resultsOf = (at: Scene): unknown[] => readCertificates(at).map((each) => each?.result);

function flipByte(file: string): void {
  const bytes = fs.readFileSync(file);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  fs.writeFileSync(file, bytes);
}

test('every destination is drilled again and again; a flipped byte fails only its own', async () => {
  const at = await scene({ every: '2s', assert: ['SELECT count(*) = 5 FROM notes'] });
  const replicator = new CLIProcess(['replicate', '-config', at.config]);
  await expect.poll(() => resultsOf(at)).toEqual(['ok', 'ok', 'ok']);
  expect(readCertificates(at)[0]).toMatchObject({
    format: 1,
    txid: NEWEST,
    rpo_seconds: 0,
    check: 'quick',
    comparison: 'equal',
    assertions: [{ holds: true }],
    problems: [],
  });

  flipByte(path.join(at.folder, 'two', SNAPSHOT));
  await expect.poll(() => resultsOf(at)).toEqual(['ok', 'failed', 'ok']);
  const object = `level 9 ${NEWEST}-${NEWEST}.ltx`;
  expect(readCertificates(at)[1]).toMatchObject({
    last_success_at: expect.any(String) as string,
    problems: [{ object }],
  });
  await replicator.says(/level=ERROR msg="drill of two: failed: .*level 9/);
  const status = await sluice(['status', '-config', at.config]);
  expect(status.stdout).toMatch(/last drill of two: failed .*last ok \d{4}-/);
  expect(status.stdout).toMatch(/last drill of three: ok/);

  replicator.kill('SIGTERM');
  const { code, stdout, stderr } = await replicator.ended();
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).not.toMatch(/level=ERROR msg="drill of (one|three)/);
  expect(fs.readdirSync(at.scratch)).toEqual([]);
});

/** Resolves when an endless assertion runs: SQLite creates this file when it begins. */
async function whenDrilling({ scratch }: Scene): Promise<void> {
  const index = path.join(scratch, 'sluice-drill-*', '*', 'restored.db-shm');
  await expect.poll(() => fs.globSync(index).length).toBe(1);
}

/** Processes below this one; none where /proc does not exist. */
function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  if (!fs.existsSync(file)) return [];
  const own = fs.readFileSync(file, 'utf8').split(' ').filter(Boolean).map(Number);
  return own.flatMap((child) => [child, ...childrenOf(child)]);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('a stop ends a running drill and leaves no copy; a copy that SIGKILL leaves is removed later', async () => {
  const at = await scene({ every: '1s', assert: [ENDLESS] });
  const stopped = new CLIProcess(['replicate', '-config', at.config]);
  await whenDrilling(at);
  stopped.killGroup('SIGINT');
  expect((await stopped.ended()).code).toBe(0);
  expect(fs.readdirSync(at.scratch)).toEqual([]);

  const killed = new CLIProcess(['replicate', '-config', at.config]);
  await whenDrilling(at);
  const processes = childrenOf(killed.pid);
  killed.kill('SIGKILL');
  await killed.ended();
  await expect.poll(() => processes.filter(isAlive)).toEqual([]);
  const left = fs.readdirSync(at.scratch);
  expect(left).toHaveLength(1);
  const [name = ''] = left;
  const mark = writeFile(path.join(at.scratch, name), 'mark', '');
  const last = new CLIProcess(['replicate', '-config', at.config]);
  await expect.poll(() => fs.existsSync(mark)).toBe(false);
  await whenDrilling(at);
  last.kill('SIGTERM');
  expect((await last.ended()).code).toBe(0);
  expect(fs.readdirSync(at.scratch)).toEqual([]);
});

/** Three drills at a time, each in a process of its own: a busy machine takes a minute for a round. */
const SLOW = { timeout: 180_000 };

test('with keep, warm drills follow the newest state, and each destination has one copy', async () => {
  const at = await scene({ every: '1s', keep: '1GiB' });
  const database = path.join(at.folder, 'app.db');
  const replicator = new CLIProcess(['replicate', '-config', at.config]);
  const kindsOf = (): unknown[] => readCertificates(at).map((each) => each?.kind);
  await expect.poll(kindsOf, SLOW).toEqual(['warm', 'warm', 'warm']);
  addRows(database, 1);
  const txids = (): unknown[] => readCertificates(at).map((each) => each?.txid);
  await expect.poll(txids, SLOW).toEqual(Array.from(NAMES, () => '0000000000000002'));
  expect(resultsOf(at)).toEqual(['ok', 'ok', 'ok']);
  // A full drill removes its copy first.
  const kept = path.join(at.scratch, 'sluice-drill-kept-*', 'copy.db');
  await expect.poll(() => fs.globSync(kept).length, SLOW).toBe(3);
  replicator.kill('SIGTERM');
  expect((await replicator.ended()).code).toBe(0);
  const status = await sluice(['status', '-config', at.config]);
  expect(status.stdout).toMatch(/last drill of one: ok /);
}, 400_000);

test('a destination that refuses the certificate is named once, and its drills go on', async () => {
  const at = await scene({ every: '1s' });
  fs.mkdirSync(certificateOf(at, 'two'));
  const replicator = new CLIProcess(['replicate', '-config', at.config]);
  await replicator.says(/(drill of two: ok.*[^]*){2}/);
  replicator.kill('SIGTERM');
  const { code, stdout } = await replicator.ended();
  expect(code).toBe(0);
  expect(stdout.match(/does not take the result of its drill/g)).toHaveLength(1);
  expect(stdout).toMatch(/level=WARN msg="two does not take the result of its drill/);
});
