/** The section `scrub`. */

import { expect, test } from 'vitest';
import type { ScrubSettings } from '../../src/config/fields/scrub.ts';
import { readText } from '../support/configuration.ts';

async function read(top: object, own: object = {}): Promise<ScrubSettings | undefined> {
  const dbs = [{ path: '/data/app.db', replicas: [{ path: '/backup/app' }], ...own }];
  const { databases } = await readText(JSON.stringify({ dbs, ...top }));
  return databases[0]?.scrub;
}

test('nothing is scrubbed unless the configuration says so', async () => {
  expect(await read({})).toBeUndefined();
  expect(await read({ scrub: {} })).toBeUndefined();
  expect(await read({ scrub: { every: 0, 'bytes-per-second': '1MiB' } })).toBeUndefined();
});

test('the other key has a default, and a database overrides single keys', async () => {
  const week = 7 * 24 * 3_600_000;
  const scrub = { every: '24h' };
  expect(await read({ scrub })).toEqual({ everyMs: 24 * 3_600_000, bytesPerSecond: 1024 ** 2 });
  const rate = { 'bytes-per-second': '64KiB' };
  expect(await read({ scrub: rate })).toEqual({ everyMs: week, bytesPerSecond: 65_536 });
  expect(await read({ scrub }, { scrub: rate })).toEqual({
    everyMs: 24 * 3_600_000,
    bytesPerSecond: 65_536,
  });
  expect(await read({ scrub }, { scrub: { every: 0 } })).toBeUndefined();
});

test.each([
  [{ every: '10ms' }, 'must be at least 1s, or 0 to turn the scrub off'],
  [{ 'bytes-per-second': 10 }, 'bytes'],
  [{ 'bytes-per-second': '1GiB' }, 'bytes'],
  [{ rate: 1 }, 'rate'],
])('%j is refused', async (scrub, message) => {
  await expect(read({ scrub })).rejects.toThrow(message);
});
