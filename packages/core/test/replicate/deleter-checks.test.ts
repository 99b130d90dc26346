/** Before files are deleted, those that replace them are looked at: another process may have left them cut short. */

import { expect, test } from 'vitest';
import { encodeFile } from '../restore/bucket.ts';
import { Shelf } from './shelf.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const PAGE = { commit: 1, pageSize: 512, pages: new Map([[1, new Uint8Array(512)]]) };
const RETENTION = { retentionMs: DAY_MS, l0RetentionMs: 5 * 60_000, topLevel: 3 };

/** Merged files that another process wrote, the first of them is changed, and an hour has passed. */
async function mergedBefore(
  by: (bytes: Uint8Array) => Uint8Array,
  ...merged: string[]
): Promise<Shelf> {
  const before = new Shelf({ retention: RETENTION });
  await before.write('0/1-1', '9/1-1', '0/2-2', '0/3-3', ...merged, '0/4-4');
  before.clock.advance(DAY_MS + 2 * HOUR_MS);
  for (const [key, stored] of before.store.objects) {
    if (key.includes('/1/')) before.store.objects.set(key, { ...stored, bytes: by(stored.bytes) });
  }
  const shelf = new Shelf({ retention: RETENTION, before });
  shelf.list(await Array.fromAsync(shelf.files.listFiles('all')));
  await shelf.write('0/5-5'); // gives the time of the server
  return shelf;
}

const THE_MERGED = [
  ['replaces increments', '1/2-3', '0/4-4 0/5-5 1/2-3 9/1-1'],
  ['replaces a snapshot', '1/1-3', '0/4-4 0/5-5 1/1-3 9/1-1'],
] as const;

test.for(THE_MERGED)('a merged file that %s may do so if it is whole', async ([, merged, left]) => {
  const shelf = await mergedBefore((bytes) => bytes, merged);
  await shelf.deleter.enforceNow();
  expect(await shelf.names()).toBe(left);
});

test.for(
  THE_MERGED.flatMap(([what, merged]) =>
    (
      [
        ['was cut short', (bytes) => bytes.subarray(0, -20)],
        ['is filled with zeros', (bytes) => new Uint8Array(bytes.length)],
        ['has the content of another file', () => encodeFile(1, 9, PAGE)],
      ] as const satisfies [string, (bytes: Uint8Array) => Uint8Array][]
    ).map(([how, by]) => [what, how, merged, by] as const),
  ),
)('a merged file that %s and %s before it was listed keeps them', async ([, , merged, by]) => {
  const shelf = await mergedBefore(by, merged);
  const before = await shelf.names();
  await shelf.deleter.enforceNow();
  expect(await shelf.names()).toBe(before);
  expect(shelf.messages.join('\n')).toMatch(/nothing is deleted, because .* cannot be checked/);
});

test('a snapshot with the content of another one keeps all others', async () => {
  const shelf = new Shelf({ retention: RETENTION });
  await shelf.write('0/1-1', '9/1-1', '0/2-2');
  shelf.clock.advance(DAY_MS);
  await shelf.write('0/4-4', '9/1-4');
  shelf.clock.advance(DAY_MS + 2 * HOUR_MS);
  await shelf.write('0/5-5');
  const snapshots = [...shelf.store.objects].filter(([key]) => key.includes('/9/'));
  const [older, newer] = snapshots;
  expect(newer?.[0]).toContain('0000000000000004');
  if (older !== undefined && newer !== undefined) shelf.store.objects.set(newer[0], older[1]);
  await shelf.enforce();
  expect(shelf.calls).toEqual(['list 9']);
  expect(shelf.messages.join('\n')).toMatch(/has the content of 0{15}1-0{15}1.ltx/);
});
