/** What lies at a place beside the files of a replica: looked at before and after, whatever its name. */

import assert from 'node:assert/strict';

import type { CaseContext } from './context.ts';
import { eventually } from './words.ts';

/** What a failed call has left may go a moment after it. */
export const LEFTOVER_MS_MAX = 5_000;

/** Keys at the replica's path; none where the set-up cannot see them. */
export async function keysOf({ path, setup }: CaseContext): Promise<string[]> {
  return ((await setup.raw?.keys(`${path}/`)) ?? []).toSorted();
}

/** Fails with the keys that are there after `work` and were not before, or are there no more. */
export async function leavesNothing(
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
