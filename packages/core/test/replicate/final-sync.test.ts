/** The last cut before shutdown stages everything or reports why not, within the timeout. */

import { expect, test } from 'vitest';
import { ReplicationError } from '../../src/error.ts';
import {
  finalSync,
  type FinalSyncContext,
  type FinalSyncResult,
} from '../../src/replicate/final-sync.ts';
import type { DatabaseState } from '../../src/replicate/status/status.ts';
import { Wakeup } from '../../src/replicate/waits.ts';

const TIMEOUT_MS = 1_000;
const BUSY = new ReplicationError('DATABASE_BUSY', 'it is busy');

/** A clock that advances as the code waits. */
class PassingWakeup extends Wakeup {
  ms = 0;

  override async next(timeoutMs: number): Promise<void> {
    this.ms += timeoutMs;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

interface Scene {
  readonly hasBegun?: boolean;
  readonly error?: FinalSyncContext['error'];
  readonly state: (ms: number) => DatabaseState;
  readonly sync: (ms: number) => bigint | undefined;
}

async function ask({
  state,
  sync,
  error,
  hasBegun = true,
}: Scene): Promise<{ result: FinalSyncResult; ms: number }> {
  const changed = new PassingWakeup();
  const result = await finalSync({
    state: () => state(changed.ms),
    error: error ?? (() => undefined),
    hasBegun: () => hasBegun,
    sync: async () => sync(changed.ms),
    changed,
    isStuck: () => false,
    clock: { now: () => 0, monotonic: () => changed.ms },
    timeoutMs: TIMEOUT_MS,
  });
  return { result, ms: changed.ms };
}

function refuse(): never {
  throw BUSY;
}

test('a final sync returns the TXID of a successful sync', async () => {
  const { result } = await ask({ state: () => 'following', sync: () => 7n });
  expect(result).toEqual({ kind: 'staged', txid: 7n });
});

test('a final sync is retried while the database is not followed', async () => {
  const scene: Scene = { state: () => 'following', sync: (ms) => (ms > 700 ? 7n : undefined) };
  expect((await ask(scene)).result).toEqual({ kind: 'staged', txid: 7n });
});

test('a missing database has nothing to cut', async () => {
  const { result, ms } = await ask({ state: () => 'waiting', sync: () => undefined });
  expect(result).toEqual({ kind: 'absent' });
  expect(ms).toBeLessThan(TIMEOUT_MS);
});

test('a missing database is looked for once more', async () => {
  let looks = 0;
  const state = (): DatabaseState => (looks === 0 ? 'waiting' : 'following');
  const sync = (): bigint | undefined => (++looks > 1 ? 7n : undefined);
  expect((await ask({ state, sync })).result).toEqual({ kind: 'staged', txid: 7n });
});

test('a missing database that cannot be looked for is not called missing', async () => {
  const { result } = await ask({ state: () => 'waiting', sync: refuse });
  expect(result).toEqual({ kind: 'failed', code: 'DATABASE_BUSY', message: 'it is busy' });
});

test('a failing database is retried until the timeout, and the error is returned', async () => {
  const { result, ms } = await ask({ state: () => 'following', sync: refuse });
  expect(result).toEqual({ kind: 'failed', code: 'DATABASE_BUSY', message: 'it is busy' });
  expect(ms).toBeGreaterThanOrEqual(TIMEOUT_MS);
  expect(ms).toBeLessThan(2 * TIMEOUT_MS);
});

test.each([
  ['DATABASE_INVALID', false, 'at once'],
  ['DATABASE_DENIED', false, 'at once'],
  ['DATABASE_INVALID', true, 'after the timeout'], // it may be about to be replaced again
  ['DATABASE_BUSY', false, 'after the timeout'],
])('%s, opened before: %s: the final sync fails %s', async (code, hasBegun, when) => {
  const reason = { code, message: 'no' };
  const { result, ms } = await ask({
    state: () => 'failing',
    error: () => reason,
    hasBegun,
    sync: refuse,
  });
  expect(result).toEqual({ kind: 'failed', ...reason });
  if (when === 'at once') expect(ms).toBeLessThan(TIMEOUT_MS / 2);
  else expect(ms).toBeGreaterThanOrEqual(TIMEOUT_MS);
});

test('the wait for a database that comes and goes is bounded', async () => {
  const state = (ms: number): DatabaseState => (ms % 600 < 300 ? 'failing' : 'following');
  const { result, ms } = await ask({ state, sync: refuse });
  expect(result.kind).toBe('failed');
  expect(ms).toBeLessThan(2 * TIMEOUT_MS);
});

test('a database that is reopened and makes an image is waited for', async () => {
  const state = (ms: number): DatabaseState =>
    ms < 500 ? 'failing' : ms < 10 * TIMEOUT_MS ? 'imaging' : 'following';
  const sync = (ms: number): bigint | undefined => (ms < 10 * TIMEOUT_MS ? undefined : 8n);
  expect((await ask({ state, sync })).result).toEqual({ kind: 'staged', txid: 8n });
});
