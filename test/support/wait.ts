/** Waiting for something to become true that tells no event. Fails with what it was. */

import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_EVERY_MS = 20;

export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  timeoutMs = 90_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(LOOK_EVERY_MS);
  }
}
