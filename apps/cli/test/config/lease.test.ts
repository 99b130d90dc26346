/** The section `lease`. */

import type { LeaseSettings } from '@sluice/core';
import { expect, test } from 'vitest';
import { readText } from '../support/configuration.ts';

/** The leases of the two destinations of a database. */
async function read(
  top: object,
  own: object = {},
  second: object = {},
): Promise<(LeaseSettings | undefined)[]> {
  const replicas = [
    { bucket: 'b', path: 'one', type: 's3' },
    { path: '/backup/app', ...second },
  ];
  const { databases } = await readText(
    JSON.stringify({ ...top, dbs: [{ path: '/data/app.db', replicas, ...own }] }),
  );
  return databases.flatMap(({ destinations }) => destinations.map(({ lease }) => lease));
}

test('there is no lease unless the configuration says so', async () => {
  expect(await read({})).toEqual([undefined, undefined]);
  expect(await read({ lease: {} })).toEqual([undefined, undefined]);
  expect(await read({ lease: { ttl: 0 } })).toEqual([undefined, undefined]);
  expect(await read({ lease: { ttl: '0s' } })).toEqual([undefined, undefined]);
});

test.each([
  ['3s', 3_000],
  ['3000ms', 3_000],
  ['1m30s', 90_000],
  ['0.5h', 1_800_000],
  ['24h', 24 * 3_600_000],
])('a lease of %s is one of %i ms', async (ttl, ttlMs) => {
  expect(await read({ lease: { ttl } })).toEqual([{ ttlMs }, { ttlMs }]);
});

test('a database overrides the top level, and a destination its database, also by none', async () => {
  const [long, short, none] = ['1h', '10s', 0].map((ttl) => ({ lease: { ttl } }));
  expect(await read(long ?? {}, short)).toEqual([{ ttlMs: 10_000 }, { ttlMs: 10_000 }]);
  expect(await read(long ?? {}, {}, short)).toEqual([{ ttlMs: 3_600_000 }, { ttlMs: 10_000 }]);
  expect(await read(long ?? {}, {}, none)).toEqual([{ ttlMs: 3_600_000 }, undefined]);
  expect(await read(long ?? {}, none, short)).toEqual([undefined, { ttlMs: 10_000 }]);
  expect(await read(long ?? {}, none)).toEqual([undefined, undefined]);
});

test.each([
  [{ ttl: '2999ms' }, 'lease.ttl must be at least 3s, or 0 to use no lease'],
  [{ ttl: '24h1ms' }, 'lease.ttl must be at most 24h'],
  [{ ttl: '-30s' }, 'lease.ttl must be a duration such as 1s, 5m or 24h'],
  [{ ttl: 30 }, 'lease.ttl must be a duration such as 1s, 5m or 24h, not "30"'],
  [{ ttl: '30' }, 'lease.ttl must be a duration such as 1s, 5m or 24h'],
  [{ ttl: '30 seconds' }, 'lease.ttl must be a duration such as 1s, 5m or 24h'],
  [{ tll: '30s' }, 'tll'],
  ['30s', 'lease'],
])('%j is refused, and the message names the key', async (lease, message) => {
  await expect(read({ lease })).rejects.toThrow(message);
  await expect(read({}, { lease })).rejects.toThrow(message);
  await expect(read({}, {}, { lease })).rejects.toThrow(message);
});
