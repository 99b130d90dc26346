/** `sluice replicate -restore-if-db-not-exists`. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { addRows, countRows, imageOf } from '../support/database.ts';
import { goldenBucket } from '../support/golden.ts';
import { CLIProcess, RUNTIME_FOLDER, runProcess } from '../support/process.ts';
import { rowsAt, scene } from '../support/scene.ts';
import { sluice as runHere, type Outcome } from '../support/shell.ts';
import { writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

/** Time limit for steps of a process. */
const WITHIN = { timeout: 60_000 };

test('-restore-if-db-not-exists restores a missing database before replication', async () => {
  const { database, backup, folder } = scene(7);
  await runProcess(['replicate', '-once', database, `file://${backup}`]);
  for (const name of fs.readdirSync(folder)) {
    if (name !== 'backup') fs.rmSync(path.join(folder, name), { recursive: true });
  }
  const words = ['replicate', '-once', '-restore-if-db-not-exists', database, `file://${backup}`];
  const { code, stdout } = await runProcess(words);
  expect(code, stdout).toBe(0);
  expect(stdout).toMatch(/was missing: restored from file" txid=000000000000000/);
  expect(countRows(database)).toBe(7);
  expect(await rowsAt(backup)).toBe(7);
});

test('/metrics tells which databases were restored at the start, and which started empty', async () => {
  const { database, backup, folder } = scene(7);
  await runProcess(['replicate', '-once', database, `file://${backup}`]);
  for (const name of fs.readdirSync(folder)) {
    if (name !== 'backup') fs.rmSync(path.join(folder, name), { recursive: true });
  }
  const fresh = path.join(folder, 'fresh.db');
  const config = writeFile(
    folder,
    'sluice.yml',
    `addr: ":0"
dbs:
- { path: ${database}, restore-if-db-not-exists: true, replica: { path: ${backup} } }
- { path: ${fresh}, restore-if-db-not-exists: true, replica: { path: ${path.join(folder, 'backup-2')} } }
`,
  );
  const sluice = new CLIProcess(['replicate', '-config', config]);
  const [, origin = ''] = await sluice.says(/metrics at (http:\/\/127\.0\.0\.1:\d+)/);
  await vi.waitFor(async () => {
    const text = await (await fetch(`${origin}/metrics`)).text();
    expect(text).toContain(`sluice_restore_result{db="${database}",result="restored"} 1`);
    expect(text).toContain(`sluice_restore_result{db="${fresh}",result="empty"} 1`);
    expect(text).toMatch(/^sluice_restore_seconds\{.*\} \d/m);
  }, WITHIN);
  sluice.kill('SIGTERM');
  await sluice.ended();
});

test('-restore-if-db-not-exists restores beside unknown objects below generations/, and names them', async () => {
  const { database, backup } = scene(0);
  fs.cpSync(goldenBucket('block-4k'), backup, { recursive: true });
  const stray = path.join(backup, 'generations', '0123456789abcdef');
  fs.mkdirSync(stray, { recursive: true });
  writeFile(stray, 'notes.txt', 'x');
  const words = ['replicate', '-once', '-restore-if-db-not-exists', database, `file://${backup}`];
  const { code, stdout } = await runProcess(words);
  expect(code, stdout).toBe(0);
  expect(stdout).toMatch(/level=WARN .*generations 0123456789abcdef \(.*notes.txt\)/);
  expect(stdout).toMatch(/was missing: restored from file" txid=0000000000000019/);
});

test('-restore-if-db-not-exists starts with an empty database if there is no backup', async () => {
  const { database, backup } = scene(0);
  const words = ['replicate', '-restore-if-db-not-exists', database, `file://${backup}`];
  const sluice = new CLIProcess(words);
  await sluice.says(
    /is missing and starts empty: there is no backup: there are no LTX files at file/,
  );
  await sluice.says(/waiting: .* does not exist yet/);
  addRows(database, 3);
  await sluice.says(/taking a full snapshot/);
  sluice.kill('SIGTERM');
  expect((await sluice.ended()).code).toBe(0);
  expect(await rowsAt(backup)).toBe(3);
});

test('-restore-if-db-not-exists restores a backup of Litestream 0.3, and replication goes on beside it', async () => {
  const { database, backup } = scene(0);
  fs.cpSync(goldenBucket('v03-4k'), backup, { recursive: true });
  const before = fs.readdirSync(path.join(backup, 'generations'), { recursive: true });
  const words = ['replicate', '-once', '-restore-if-db-not-exists', database, `file://${backup}`];
  const first = await runProcess(words);
  expect(first.code, first.stdout).toBe(0);
  expect(first.stdout).toMatch(
    /was missing: restored from file" generation=372397bae1f78807 position=00000000:000fa778/,
  );
  const note =
    /there is a backup of Litestream 0.3 \(generations\/\). Sluice writes its own files beside/g;
  expect(first.stdout.match(note)).toHaveLength(1);
  const output = path.join(path.dirname(database), 'restored.db');
  const restored = await runProcess(['restore', '-o', output, `file://${backup}`]);
  expect(restored.stdout).toContain('TXID 0000000000000001');
  expect(imageOf(output).equals(imageOf(database))).toBe(true);
  expect((await runProcess(words)).stdout).not.toMatch(note);
  expect(fs.readdirSync(path.join(backup, 'generations'), { recursive: true })).toEqual(before);
});

/** A missing database with one backup on an unmounted disk, and an older one. */
async function sceneOfLostDisk(): Promise<{
  readonly config: string;
  readonly database: string;
  readonly mount: () => void;
}> {
  const { folder, database, backup } = scene(3);
  const disk = path.join(folder, 'disk');
  const far = path.join(disk, 'backup');
  const older = ['replicate', '-once', database, `file://${backup}`];
  expect((await runProcess(older)).code).toBe(0);
  addRows(database, 4);
  expect((await runProcess([...older, `file://${far}`])).code).toBe(0);
  fs.cpSync(backup, `${backup}-older`, { recursive: true });
  for (const name of fs.readdirSync(folder)) {
    if (/app\.db/.test(name)) fs.rmSync(path.join(folder, name), { recursive: true });
  }
  fs.renameSync(disk, `${disk}-elsewhere`);
  const config = writeFile(
    folder,
    'sluice.yml',
    `dbs:
- path: ${database}
  restore-if-db-not-exists: true
  replicas: [{ path: ${backup}, name: near }, { path: ${far}, name: far }]
`,
  );
  return { config, database, mount: () => fs.renameSync(`${disk}-elsewhere`, disk) };
}

test('restore-if-db-not-exists waits for a destination that does not respond, and names it', async () => {
  const { config, database, mount } = await sceneOfLostDisk();
  const sluice = new CLIProcess(['replicate', '-config', config]);
  await sluice.says(
    /is missing\. Sluice waits for far, which may hold its newest state: .*nextTry=1s/,
  );
  await sluice.says(/nextTry=2s/);
  expect(fs.existsSync(database)).toBe(false);
  mount();
  await sluice.says(/was missing: restored from/);
  expect(countRows(database)).toBe(7);
  sluice.kill('SIGTERM');
  expect((await sluice.ended()).code).toBe(0);
});

test('a database that waits for a destination delays only the command', async () => {
  const { config, database, mount } = await sceneOfLostDisk();
  const folder = path.dirname(database);
  const other = path.join(folder, 'other.db');
  addRows(other, 2);
  const started = path.join(folder, 'started');
  fs.appendFileSync(config, `- path: ${other}\n  replica: { path: ${folder}/other-backup }\n`);
  const words = [
    'replicate',
    '-config',
    config,
    '-exec',
    `sh -c 'touch ${started}; exec sleep 600'`,
  ];
  const sluice = new CLIProcess(words);
  await sluice.says(/nextTry=2s/);
  const level0 = `${folder}/other-backup/ltx/0`;
  const staged = (): string[] => (fs.existsSync(level0) ? fs.readdirSync(level0) : []);
  const isLTX = (name: string): boolean => name.endsWith('.ltx');
  await expect.poll(() => staged().some(isLTX), WITHIN).toBe(true);
  expect(await rowsAt(`${folder}/other-backup`)).toBe(2);
  expect(fs.existsSync(started)).toBe(false);
  mount();
  await expect.poll(() => fs.existsSync(started), WITHIN).toBe(true);
  expect(countRows(database)).toBe(7);
  sluice.kill('SIGTERM');
  expect((await sluice.ended()).code).toBe(143); // exit code of the command
});

test('a database created before its restore is replicated as it is, with a warning', async () => {
  const { config, database } = await sceneOfLostDisk();
  const sluice = new CLIProcess(['replicate', '-config', config]);
  await sluice.says(/waits for far/);
  addRows(database, 1);
  await sluice.says(
    /level=WARN msg=".*app.db was created before it could be restored: replication starts from this file/,
  );
  await sluice.says(/taking a full snapshot/);
  sluice.kill('SIGTERM');
  await sluice.ended();
  expect(countRows(database)).toBe(1);
});

test('a signal ends the wait for a destination before replication starts', async () => {
  const { config, database } = await sceneOfLostDisk();
  const sluice = new CLIProcess(['replicate', '-config', config]);
  await sluice.says(/waits for far/);
  sluice.kill('SIGTERM');
  expect((await sluice.ended()).code).toBe(143);
  expect(fs.existsSync(database)).toBe(false);
});

test('-once fails instead of waiting for a destination, and restores nothing', async () => {
  const { config, database } = await sceneOfLostDisk();
  const { code, stderr } = await runProcess(['replicate', '-once', '-config', config]);
  expect(code).toBe(7);
  expect(stderr).toMatch(
    /^sluice: nothing is restored, .*: far: .*\(REPLICA_DESTINATION_NOT_FOUND\)/,
  );
  expect(fs.existsSync(database)).toBe(false);
});

test('a stop ends the wait for a destination, and a start begins it again', async () => {
  const { config, database, mount } = await sceneOfLostDisk();
  const replicator = new CLIProcess(['replicate', '-config', config]);
  await replicator.says(/nextTry=2s/);
  const run = async (...words: readonly string[]): Promise<Outcome> =>
    await runHere([...words, '-config', config], { XDG_RUNTIME_DIR: RUNTIME_FOLDER });
  await run('stop', database);
  expect((await run('list', '-json')).stdout).toContain('"status":"stopped"');
  mount();
  const started = await run('start', database);
  expect(started.code, started.stderr).toBe(0);
  await replicator.says(/was missing: restored from/);
  await expect.poll(async () => (await run('sync', '-wait', database)).code, WITHIN).toBe(0);
  replicator.kill('SIGTERM');
  const { code, stdout } = await replicator.ended();
  expect(code, stdout).toBe(0);
  expect(countRows(database)).toBe(7);
  expect(stdout).not.toMatch(/not replicated:/);
});
