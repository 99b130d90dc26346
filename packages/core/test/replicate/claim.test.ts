/** The lock of a staging folder is not kept by a claim that was closed. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';

import { OwnerLock } from '../../src/database/staging/owner-lock.ts';
import { StagingClaim } from '../../src/replicate/claim.ts';
import { completeOptions } from '../../src/replicate/replicate.ts';
import { temporaryFolder } from '../restore/temporary.ts';

interface Scene {
  readonly claim: StagingClaim;
  readonly folder: string;
  readonly calls: string[];
  /** Resolves if nobody has the lock. */
  readonly requireFree: () => Promise<void>;
}

function newScene(onOwned: () => Promise<void> = async () => undefined): Scene {
  const options = completeOptions({ path: path.join(temporaryFolder(), 'app.db') });
  const calls: string[] = [];
  const claim = new StagingClaim({
    options,
    clock: systemClock,
    onOwned: async () => {
      calls.push('owned');
      await onOwned();
    },
    onWaiting: () => void calls.push('waiting'),
    onFailure: () => void calls.push('failure'),
  });
  const lock = { folder: options.metaPath, database: options.path, clock: systemClock };
  const requireFree = async (): Promise<void> => (await OwnerLock.acquire(lock)).release();
  return { claim, folder: options.metaPath, calls, requireFree };
}

test('a close during the start leaves no lock', async () => {
  const { claim, calls, requireFree } = newScene();
  const starting = claim.start();
  await Promise.all([claim.close(), starting]);
  await requireFree();
  expect(calls).toEqual([]);
});

test('a close while the lock is taken again leaves none', async () => {
  const { claim, folder, requireFree } = newScene();
  await claim.start();
  fs.rmSync(path.join(folder, 'lock'));
  const renewing = claim.renew();
  await Promise.all([claim.close(), renewing]);
  await requireFree();
});

test('a close waits for what uses the folder', async () => {
  const used = Promise.withResolvers<void>();
  const { claim, calls, requireFree } = newScene(() => used.promise);
  const starting = claim.start();
  await expect.poll(() => calls).toEqual(['owned']);
  let isClosed = false;
  const closing = claim.close().then(() => (isClosed = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(isClosed).toBe(false);
  used.resolve();
  await Promise.all([starting, closing]);
  await requireFree();
});

test('a claim that was closed takes nothing', async () => {
  const { claim, calls, requireFree } = newScene();
  await claim.close();
  await claim.start();
  expect(calls).toEqual([]);
  await requireFree();
});
