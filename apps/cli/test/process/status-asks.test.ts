/** `sluice status` asks a running replicator that cannot write its state file: a full disk, or a hang. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { DatabaseRow } from '../../src/status/describe.ts';
import { addRows } from '../support/database.ts';
import { CLIProcess } from '../support/process.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

vi.setConfig({ testTimeout: 300_000 });

const WAIT = { timeout: 120_000, interval: 250 };
const VOLUME_MB = 16;

class Scene {
  readonly folder: string = temporaryFolder();
  readonly database: string = path.join(this.folder, 'app.db');
  readonly metaPath: string = path.join(this.folder, 'volume', 'meta');
  readonly stateFile: string = path.join(this.metaPath, 'status.json');
  readonly #config: string = writeFile(
    this.folder,
    'sluice.yml',
    `dbs: [{ path: ${this.database}, meta-path: ${this.metaPath}, max-lag: 4s, replica: { path: ${this.folder}/backup } }]
`,
  );

  /** Resolves when everything is replicated. */
  async start(): Promise<CLIProcess> {
    fs.mkdirSync(path.dirname(this.metaPath), { recursive: true });
    addRows(this.database, 5);
    const replicator = new CLIProcess(['replicate', '-config', this.#config]);
    await replicator.says(/taking a full snapshot/);
    await this.until((row) => row.healthy);
    return replicator;
  }

  async status(): Promise<DatabaseRow> {
    const { code, stdout } = await sluice(['status', '-config', this.#config, '-json']);
    const [row] = JSON.parse(stdout) as [DatabaseRow];
    expect(code === 0).toBe(row.healthy);
    return row;
  }

  async text(): Promise<string> {
    return (await sluice(['status', '-config', this.#config])).stdout;
  }

  async until(isSo: (row: DatabaseRow) => boolean): Promise<DatabaseRow> {
    return await vi.waitUntil(async () => {
      const row = await this.status();
      return isSo(row) && row;
    }, WAIT);
  }
}

test('a replicator that cannot write its state file is asked, and one that hangs does not answer', async () => {
  const scene = new Scene();
  const replicator = await scene.start();
  blockName(`${scene.stateFile}.new`); // the temporary file of the state file
  await replicator.says(/write \S+status\.json/);
  fs.rmSync(scene.stateFile);
  const running = await scene.status();
  expect(running.replicator).toBe(
    `replicator ${replicator.pid} is running, but cannot write its state file`,
  );
  expect(running.local_txid).toBe('0000000000000001');
  fs.rmdirSync(`${scene.stateFile}.new`);
  const again = await scene.until((row) => row.healthy && !row.replicator.includes('cannot'));
  expect(again.replicator).toBe(`replicator ${replicator.pid} is running`);
  replicator.kill('SIGSTOP');
  // On a busy machine, its last state file may have another problem.
  const stopped = await scene.until((row) => row.problems[0]?.includes('it hangs') === true);
  expect(stopped.problems[0]).toMatch(
    /^replicator \d+ last reported \d+ s ago: it hangs, and does not answer$/,
  );
  expect(stopped.replicator).toBe(`replicator ${replicator.pid} does not respond`);
});

// A file system of its own needs root.
if (process.getuid?.() === 0) {
  test('a full staging disk is named, with the time since when it is full, until there is room', async () => {
    const scene = new Scene();
    const volume = path.dirname(scene.metaPath);
    fs.mkdirSync(volume);
    const mount = ['-t', 'tmpfs', '-o', `size=${VOLUME_MB}m`, 'sluice-test', volume];
    expect(spawnSync('mount', mount).status).toBe(0);
    onTestFinished(() => void spawnSync('umount', ['-l', volume]));
    const replicator = await scene.start();
    const ballast = path.join(volume, 'ballast');
    fillUp(ballast);
    const before = new Date().toISOString();
    addRows(scene.database, 50);
    const full = await scene.until((row) => row.error_since !== undefined);
    expect(full).toMatchObject({ healthy: false, status: 'error' });
    expect(full.error).toMatch(/space/);
    expect(full.error_since && full.error_since >= before).toBe(true);
    // Its state file is old by now.
    const asked = await scene.until((row) => row.replicator.includes('cannot write'));
    expect(asked.error).toMatch(/space/);
    expect(asked.error_since).toBe(full.error_since);
    expect(asked.problems.join()).toMatch(/space/);
    expect(await scene.text()).toContain(`error since ${full.error_since}`);
    fs.rmSync(ballast);
    // It may answer that it is healthy before its state file is new.
    const healed = await scene.until((row) => row.healthy && !row.replicator.includes('cannot'));
    expect(healed.error_since).toBeUndefined();
    expect(healed.replicator).toBe(`replicator ${replicator.pid} is running`);
  });
}

/** Makes a folder of this name, also if a file of this name is just being written. */
function blockName(file: string): void {
  for (;;) {
    fs.rmSync(file, { force: true });
    try {
      fs.mkdirSync(file);
      return;
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('EEXIST');
    }
  }
}

/** Writes until not a byte is free. */
function fillUp(file: string): void {
  const descriptor = fs.openSync(file, 'w');
  try {
    for (;;) fs.writeSync(descriptor, Buffer.alloc(4_096));
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
  } finally {
    fs.closeSync(descriptor);
  }
}
