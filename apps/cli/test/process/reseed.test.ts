/** A folder that comes back empty may be a disk that is not mounted: nothing is written there until `sluice reseed`. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { addRows } from '../support/database.ts';
import { CLIProcess, runProcess, type Ended } from '../support/process.ts';
import { rowsAt } from '../support/scene.ts';
import { temporaryFolder } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 120_000 });

interface Disk {
  readonly database: string;
  readonly config: string;
  /** The replica, at the mount point. */
  readonly backup: string;
  readonly mount: () => void;
  readonly unmount: () => void;
  readonly sluice: (...words: readonly string[]) => Promise<Ended>;
}

/** A database with 5 rows, and a disk that is mounted. */
function newDisk(): Disk {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  addRows(database, 5);
  const point = path.join(folder, 'disk');
  const elsewhere = path.join(folder, 'elsewhere');
  const backup = path.join(point, 'app');
  fs.mkdirSync(point);
  const config = path.join(folder, 'sluice.yml');
  fs.writeFileSync(
    config,
    `shutdown-sync-timeout: 1s\ndbs: [{ path: ${database}, replicas: [{ name: disk, path: ${backup} }] }]\n`,
  );
  return {
    database,
    config,
    backup,
    unmount: () => {
      fs.renameSync(point, elsewhere);
      fs.mkdirSync(point);
    },
    mount: () => {
      fs.rmSync(point, { recursive: true });
      fs.renameSync(elsewhere, point);
    },
    sluice: async (...words) => await runProcess([...words, '-config', config]),
  };
}

const NOT_THERE = /neither files nor its marker.*is the disk of .* mounted\? .*sluice reseed NAME/;

test('a start writes nothing there, and sluice reseed lets the next one send a full snapshot', async () => {
  const { database, backup, unmount, mount, sluice } = newDisk();
  expect((await sluice('replicate', '-once')).code).toBe(0);
  addRows(database, 1);
  unmount();
  const refused = await sluice('replicate', '-once');
  expect(refused.code, refused.stdout).toBe(3);
  expect(refused.stdout).toMatch(NOT_THERE);
  expect(fs.readdirSync(path.dirname(backup))).toEqual([]);
  mount();
  expect((await sluice('replicate', '-once')).code).toBe(0);
  expect(await rowsAt(backup)).toBe(6);

  unmount();
  const reseeded = await sluice('reseed', 'disk');
  expect(reseeded.stdout).toBe(
    `${database}: no replicator runs; the next one sends a full snapshot to disk if that is empty\n`,
  );
  expect((await sluice('replicate', '-once')).code).toBe(0);
  expect(await rowsAt(backup)).toBe(6);
  unmountAgain(backup);
  expect((await sluice('replicate', '-once')).code).toBe(3); // it counts once
});

test('what was allowed ends when the files are found: the disk was mounted after all', async () => {
  const { backup, unmount, mount, sluice } = newDisk();
  expect((await sluice('replicate', '-once')).code).toBe(0);
  unmount();
  expect((await sluice('reseed', 'disk')).code).toBe(0);
  mount();
  expect((await sluice('replicate', '-once')).code).toBe(0); // sends nothing
  unmount();
  const refused = await sluice('replicate', '-once');
  expect(refused.code, refused.stdout).toBe(3);
  expect(fs.existsSync(backup)).toBe(false);
});

function unmountAgain(backup: string): void {
  fs.rmSync(backup, { recursive: true });
}

test('a running replicator waits for the disk, or for sluice reseed', async () => {
  const { database, config, backup, unmount, mount, sluice } = newDisk();
  const replicator = new CLIProcess(['replicate', '-config', config]);
  await replicator.says(/full snapshot sent/);
  const nothing = await sluice('reseed', 'disk');
  expect(nothing.stdout).toBe(
    `${database}: the replicator has not seen that disk lacks its folder, so nothing was done; it looks with the next commit\n`,
  );
  unmount();
  addRows(database, 1);
  await replicator.says(/its marker.*sluice reseed NAME/);
  mount();
  await replicator.says(/disk has recovered/);
  unmount();
  addRows(database, 1);
  // As long as the replicator has not noticed it, there is nothing to do.
  const reseed = async (): Promise<string> => {
    expect(fs.readdirSync(path.dirname(backup))).toEqual([]);
    return (await sluice('reseed', 'disk', database)).stdout;
  };
  const sent = `${database}: a full snapshot will be sent to disk\n`;
  await expect.poll(reseed, { timeout: 60_000 }).toBe(sent);
  const snapshots = path.join(backup, 'ltx', '9');
  await expect.poll(() => fs.existsSync(snapshots), { timeout: 60_000 }).toBe(true);
  replicator.kill('SIGTERM');
  expect((await replicator.ended()).code).toBe(0);
  expect(await rowsAt(backup)).toBe(7);
});

test('a destination that the configuration does not have is refused', async () => {
  const { sluice } = newDisk();
  const { code, stderr } = await sluice('reseed', 'disc');
  expect(code).toBe(2);
  expect(stderr).toContain('there is no destination disc; the configuration has disk');
});
