/** Finds keys that a call leaves behind, by comparing all keys of the replica before and after it. */

import assert from 'node:assert/strict';

import type { CaseContext } from './context.ts';
import { eventually } from './helpers.ts';

/** Time that a backend has to clean up after a failed call. */
export const LEFTOVER_MS_MAX = 5_000;

/** All keys of the replica; empty if the setup has no `raw` hook. */
export async function keysOf({ path, setup }: CaseContext): Promise<string[]> {
  return ((await setup.raw?.keys(`${path}/`)) ?? []).toSorted();
}

/** Fails if `work` added or removed any key. */
export async function assertLeavesNothing(
  context: CaseContext,
  what: string,
  work: () => Promise<void>,
): Promise<void> {
  const before = await keysOf(context);
  await work();
  await eventually(LEFTOVER_MS_MAX, async () => {
    assert.deepEqual(await keysOf(context), before, `keys after ${what}`);
  });
}
