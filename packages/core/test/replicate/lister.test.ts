/** When a destination is listed. */

import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { systemFiles } from '../../src/file-system.ts';
import { Backlog } from '../../src/replicate/backlog.ts';
import { Holdings } from '../../src/replicate/destination/holdings.ts';
import { Lister } from '../../src/replicate/destination/lister.ts';
import { Replica } from '../../src/replica/replica.ts';
import { memoryClient } from '../../src/store/memory.ts';

test('a listing that waits for the database is not due again until the database is known', async () => {
  let isKnown = false;
  const ignore = (): void => undefined;
  const lister = new Lister({
    name: 'memory',
    target: 'memory://bucket/db',
    holdings: new Holdings(),
    backlog: new Backlog(),
    files: systemFiles,
    merged: { staged: [] },
    emptyRoot: () => undefined,
    knowsBacklog: () => isKnown,
    record: () => undefined,
    sealed: () => [],
    onFile: ignore,
    clock: systemClock,
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
  });
  const replica = new Replica(memoryClient(), 'db');
  const { signal } = new AbortController();
  expect(lister.dueInMs).toBe(0);
  await lister.list({ client: replica, capabilities: replica.capabilities }, signal);
  // 0 would make the uploader try again at once, forever.
  expect(lister.dueInMs).toBe(Infinity);

  isKnown = true;
  expect(lister.dueInMs).toBe(0);
  expect(await lister.list({ client: replica, capabilities: replica.capabilities }, signal)).toBe(
    'answered',
  );
  expect(lister.dueInMs).toBeGreaterThan(0);
  expect(lister.count).toBe(1);
});
