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

test('a destination is listed again before anything is sent if the end of its reseed is not recorded', async () => {
  const found: string[] = [];
  const ignore = (): void => undefined;
  const holdings = new Holdings();
  const lister = new Lister({
    ...{ name: 'memory', target: 'memory://bucket/db', holdings, backlog: new Backlog() },
    files: systemFiles,
    merged: { staged: [] },
    emptyRoot: () => 'accept',
    onListed: async (what) => {
      found.push(what);
      if (found.length === 1) throw new Error('no space left');
    },
    knowsBacklog: () => true,
    record: () => undefined,
    sealed: () => [],
    onFile: ignore,
    clock: systemClock,
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
  });
  const client = new Replica(memoryClient(), 'db');
  const replica = { client, capabilities: client.capabilities };
  const { signal } = new AbortController();
  await expect(lister.list(replica, signal)).rejects.toThrow('no space left');
  expect([holdings.chain, lister.dueInMs]).toEqual([undefined, 0]);
  expect(await lister.list(replica, signal)).toBe('answered');
  expect(holdings.chain).toBeDefined();
  expect(found).toEqual(['nothing', 'nothing']);
});
