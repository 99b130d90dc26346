/** `scrub` in the configuration: the replicator reads every file again, and mends what is damaged. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { addRows } from '../support/database.ts';
import { CLIProcess, runProcess } from '../support/process.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

const SNAPSHOT = '9/0000000000000001-0000000000000001.ltx';

interface Scene {
  readonly folder: string;
  readonly database: string;
  readonly config: string;
}

/** A database with a backup at these destinations, and a configuration with a scrub. */
async function scene(names: readonly string[]): Promise<Scene> {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  addRows(database, 5);
  const replicas = names.map((name) => ({ name, path: path.join(folder, name) }));
  const dbs = [{ path: database, replicas }];
  // JSON is YAML.
  const plain = writeFile(folder, 'plain.yml', JSON.stringify({ dbs }));
  expect((await runProcess(['replicate', '-once', '-config', plain])).code).toBe(0);
  const scrub = { every: '2s', 'bytes-per-second': '1MiB' };
  const config = writeFile(folder, 'sluice.yml', JSON.stringify({ dbs, scrub }));
  return { folder, database, config };
}

function fileOf({ folder }: Scene, name: string, file: string): string {
  return path.join(folder, name, 'ltx', file);
}

function flipBit(file: string): void {
  const bytes = fs.readFileSync(file);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  fs.writeFileSync(file, bytes);
}

interface Row {
  readonly healthy: boolean;
  readonly problems: readonly string[];
  readonly destinations: readonly {
    readonly name: string;
    readonly scrub?: { readonly damaged: readonly unknown[] };
  }[];
}

async function statusOf({ config }: Scene): Promise<Row> {
  const { stdout } = await sluice(['status', '-json', '-config', config]);
  const [row] = JSON.parse(stdout) as [Row];
  return row;
}

test('a flipped bit is found, named, and mended from another destination while the replicator runs', async () => {
  const at = await scene(['one', 'two', 'three']);
  flipBit(fileOf(at, 'two', SNAPSHOT));
  const replicator = new CLIProcess(['replicate', '-config', at.config]);
  await replicator.says(new RegExp(`two has a damaged file: ${SNAPSHOT}`));
  await replicator.says(new RegExp(`mended two: ${SNAPSHOT} was damaged, copied from (one|three)`));
  await replicator.says(/scrub of two: \d+ files/);
  const [mended, whole] = ['two', 'one'].map((name) => fs.readFileSync(fileOf(at, name, SNAPSHOT)));
  expect(mended).toEqual(whole);
  const { destinations, problems } = await statusOf(at);
  expect(destinations.find(({ name }) => name === 'two')?.scrub?.damaged).toEqual([]);
  expect(problems).toEqual([]);
  replicator.kill('SIGTERM');
  const { code } = await replicator.ended();
  expect(code).toBe(0);
});

test('damage that no destination can mend makes it unhealthy, until a full snapshot closes the gap', async () => {
  const at = await scene(['only']);
  flipBit(fileOf(at, 'only', SNAPSHOT));
  flipBit(fileOf(at, 'only', SNAPSHOT.replaceAll('9/', '0/')));
  const replicator = new CLIProcess(['replicate', '-config', at.config]);
  await replicator.says(/only has a damaged file: 9\//);
  await replicator.says(/taking a full snapshot: files at only are damaged/);
  await replicator.says(/later full snapshots replace damaged files/);
  replicator.kill('SIGTERM');
  await replicator.ended();
  const output = path.join(at.folder, 'restored.db');
  const { code, stderr } = await sluice(['restore', '-o', output, `file://${at.folder}/only`]);
  expect(code, stderr).toBe(0);
  expect(fs.statSync(output).size).toBe(fs.statSync(at.database).size);
});

test('a folder without its files and its marker is neither read as empty nor filled', async () => {
  const at = await scene(['one', 'two']);
  const mountPoint = path.join(at.folder, 'two');
  fs.rmSync(mountPoint, { recursive: true });
  fs.mkdirSync(mountPoint);
  const replicator = new CLIProcess(['replicate', '-config', at.config]);
  await replicator.says(/the scrub of two is interrupted: .*is the disk of .* mounted\?/);
  await replicator.says(/scrub of one: \d+ files/);
  expect(fs.readdirSync(mountPoint)).toEqual([]);
  replicator.kill('SIGTERM');
  expect((await replicator.ended()).stdout).not.toMatch(/scrub of two: 0 files/);
});
