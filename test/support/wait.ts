/** Polls until a condition without an event is true. Fails with its name after the timeout. */

import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 20;

export async function until(
  condition: string,
  isTrue: () => boolean | Promise<boolean>,
  timeoutMs = 90_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${condition}`);
    await sleep(POLL_MS);
  }
}
