/** A staging folder has one owner. */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import { OwnerLock } from '../../src/database/staging/owner-lock.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const NOON = Date.UTC(2026, 0, 31, 12);

/** A clock that advances one hour at each reading, so that no wait takes real time. */
function fastClock(): Clock {
  let hours = 0;
  return { now: () => NOON, monotonic: () => (hours += 1) * 3_600_000 };
}

interface LockPaths {
  readonly folder: string;
  readonly database: string;
}

function newPaths(): LockPaths {
  const folder = temporaryFolder();
  return { folder: path.join(folder, '.app.db-sluice'), database: path.join(folder, 'app.db') };
}

async function acquire(input: LockPaths): Promise<OwnerLock> {
  const lock = await OwnerLock.acquire({ ...input, clock: fastClock() });
  onTestFinished(() => lock.release());
  return lock;
}

test('a second replicator in the same process is refused with the name of the owner', async () => {
  const at = newPaths();
  const lock = await acquire(at);
  const since = new Date(NOON).toISOString();
  await expect(acquire(at)).rejects.toMatchObject({
    code: 'STAGING_IN_USE',
    message: `replicator ${process.pid} has been replicating ${at.database} since ${since}; stop it first`,
  });
  await expect(acquire(at)).rejects.toThrow(/has been replicating/); // the refusal did not release the lock
  lock.release();
  await acquire(at);
});

test('two databases cannot share a folder', async () => {
  const at = newPaths();
  await acquire(at);
  const other = path.join(path.dirname(at.database), 'other.db');
  const refused = acquire({ ...at, database: other });
  await expect(refused).rejects.toThrow(
    `with the staging folder ${at.folder}; give ${other} another meta-path`,
  );
});

/** Starts a process that holds the lock. */
async function startHolder({ folder, database }: LockPaths): Promise<ChildProcess> {
  const module = path.resolve(import.meta.dirname, '../../src/database/staging/owner-lock.ts');
  const script = path.join(path.dirname(folder), 'holder.mjs');
  fs.writeFileSync(
    script,
    `import { OwnerLock } from ${JSON.stringify(module)};
     import { systemClock as clock } from ${JSON.stringify(path.resolve(import.meta.dirname, '../../src/clock.ts'))};
     globalThis.lock = await OwnerLock.acquire({ ...${JSON.stringify({ folder, database })}, clock });
     process.send('held');
     setInterval(() => undefined, 1000);`,
  );
  const holder = fork(script);
  onTestFinished(() => void holder.kill('SIGKILL'));
  await once(holder, 'message');
  return holder;
}

test('a lock of another process is reported with its process ID, and ends when that process is killed', async () => {
  const at = newPaths();
  const holder = await startHolder(at);
  await expect(acquire(at)).rejects.toThrow(`replicator ${holder.pid} has been replicating`);
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  await acquire(at);
  const owner = JSON.parse(fs.readFileSync(path.join(at.folder, 'owner'), 'utf8')) as unknown;
  expect(owner).toMatchObject({ pid: process.pid, host: os.hostname(), database: at.database });
});

test('a replicator that starts while the previous one ends waits for it', async () => {
  const at = newPaths();
  const holder = await startHolder(at);
  const { systemClock: clock } = await import('../../src/clock.ts');
  const waiting = OwnerLock.acquire({ ...at, clock });
  holder.kill('SIGKILL');
  (await waiting).release();
});

test('foreign contents of the lock file are ignored', async () => {
  const at = newPaths();
  fs.mkdirSync(at.folder);
  fs.writeFileSync(path.join(at.folder, 'lock'), 'x'.repeat(5_000));
  const { systemClock: clock } = await import('../../src/clock.ts');
  const lock = await OwnerLock.acquire({ ...at, clock });
  onTestFinished(() => lock.release());
  await expect(acquire(at)).rejects.toThrow(/has been replicating/);
});

test('the lock works even if the owner file cannot be written', async () => {
  const at = newPaths();
  fs.mkdirSync(path.join(at.folder, 'owner', 'a folder'), { recursive: true });
  await acquire(at);
  await expect(acquire(at)).rejects.toMatchObject({ code: 'STAGING_IN_USE' });
});

test('the error for a folder that cannot be created names meta-path', async () => {
  const at = newPaths();
  fs.writeFileSync(at.folder, 'a file');
  await expect(acquire(at)).rejects.toMatchObject({
    code: 'STAGING_FAILED',
    message: expect.stringMatching(/^create the staging folder .*or set meta-path$/),
  });
});

test('the lock file is empty, and release removes the owner file', async () => {
  const at = newPaths();
  const lock = await acquire(at);
  const names = (): string[] => fs.readdirSync(at.folder).sort();
  expect(names()).toEqual(['lock', 'owner']);
  expect(fs.statSync(path.join(at.folder, 'lock')).size).toBe(0);
  lock.release();
  expect(names()).toEqual(['lock']);
});

test('a lock whose file was deleted or replaced is not intact', async () => {
  const at = newPaths();
  const lock = await acquire(at);
  expect(lock.isIntact).toBe(true);
  fs.renameSync(at.folder, `${at.folder}-away`);
  expect(lock.isIntact).toBe(false);
  const other = await acquire(at);
  expect([lock.isIntact, other.isIntact]).toEqual([false, true]);
  lock.release();
  expect(fs.existsSync(path.join(at.folder, 'owner'))).toBe(true); // the file of the other owner
});
