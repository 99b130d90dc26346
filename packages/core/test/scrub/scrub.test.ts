/** A round of the scrub in slices, its record, and when damage no longer counts. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import { readScrubs, recordScrubs, type ScrubRecord } from '../../src/scrub/record.ts';
import { isSuperseded, scrubNameOf, scrubSlice } from '../../src/scrub/scrub.ts';
import { newKeys } from '../encryption/keys.ts';
import { makeFiles, spoil } from '../repair/scene.ts';
import { Place, refOf, type MadeFile } from '../repair/shredded.ts';
import { file } from '../restore/files.ts';
import { temporaryFolder } from '../restore/temporary.ts';
import { MemoryFiles } from '../support/memory-file-system.ts';
import { randomFrom } from '../support/random.ts';

/** Each look at this clock is one second later. */
function ticking(): Clock {
  let ms = 0;
  return { now: () => ms, monotonic: () => (ms += 1_000) };
}

async function filled(): Promise<{ place: Place; files: readonly MadeFile[] }> {
  const { files } = makeFiles(6);
  const place = new Place('a');
  await place.write(files);
  return { place, files };
}

const namesOf = (files: readonly MadeFile[]): string[] =>
  files.map((each) => scrubNameOf(refOf(each))).sort();

test('slices read each file once, in the order of names, and continue after the last one', async () => {
  const { place, files } = await filled();
  const cursors: (string | undefined)[] = [];
  let [cursor, objects, bytes]: [string | undefined, number, number] = [undefined, 0, 0];
  do {
    const options = { client: place.replica, cursor, sliceMs: 2_000, clock: ticking() };
    const slice = await scrubSlice(options);
    ({ cursor } = slice);
    objects += slice.objects;
    bytes += slice.bytes;
    cursors.push(cursor);
    expect(slice.damaged).toEqual([]);
  } while (cursor !== undefined);
  expect(objects).toBe(files.length);
  expect(bytes).toBe(files.reduce((sum, each) => sum + each.bytes.length, 0));
  const names = namesOf(files);
  expect(cursors.slice(0, -1).every((each) => names.includes(each ?? ''))).toBe(true);
  expect(new Set(cursors).size).toBe(cursors.length);
  expect(cursors.length).toBeGreaterThan(2);
});

test('a slice that is too short still reads one file', async () => {
  const { place } = await filled();
  const options = { client: place.replica, cursor: undefined, sliceMs: 0, clock: ticking() };
  expect((await scrubSlice(options)).objects).toBe(1);
});

test('files that are deleted or written meanwhile do not disturb a round', async () => {
  const { place, files } = await filled();
  const names = namesOf(files);
  const cursor = names[2];
  const gone = files.find((each) => scrubNameOf(refOf(each)) === cursor) as MadeFile;
  place.remove(gone);
  const slice = await scrubSlice({ client: place.replica, cursor, sliceMs: 1e6 });
  expect(slice.objects).toBe(names.length - 3);
});

test('every flipped bit is found and named', async () => {
  const { place, files } = await filled();
  for (const each of files) spoil(place, each);
  const { damaged } = await scrubSlice({ client: place.replica, cursor: undefined, sliceMs: 1e6 });
  expect(damaged.map((each) => scrubNameOf(each.file)).sort()).toEqual(namesOf(files));
  expect(damaged.every(({ code }) => code.startsWith('LTX_'))).toBe(true);
});

test('a file that cannot be read is an error, and no damage', async () => {
  const keys = await newKeys();
  const { files } = makeFiles(2);
  const place = new Place('a', { keys: keys.writer });
  await place.write(files);
  const scrub = scrubSlice({ client: place.replica, cursor: undefined, sliceMs: 1e6 });
  await expect(scrub).rejects.toMatchObject({ code: 'REPLICA_NO_IDENTITY' });
});

test('damage counts until the file is gone, or a later full snapshot was written after it was found', () => {
  const name = scrubNameOf(file(0, 5, 5));
  const bad = file(0, 5, 5);
  const at = (ms: number) => ({ modifiedAt: new Date(ms) });
  expect(isSuperseded(name, 1_000, [])).toBe(true);
  expect(isSuperseded(name, 1_000, [bad])).toBe(false);
  expect(isSuperseded(name, 1_000, [bad, file(9, 1, 6, at(999))])).toBe(false);
  expect(isSuperseded(name, 1_000, [bad, file(9, 1, 5, at(2_000))])).toBe(false);
  expect(isSuperseded(name, 1_000, [bad, file(0, 6, 6, at(2_000))])).toBe(false);
  expect(isSuperseded(name, 1_000, [bad, file(9, 1, 6, { ...at(2_000), sizeBytes: 10 })])).toBe(
    false,
  );
  expect(isSuperseded(name, 1_000, [bad, file(9, 1, 6, at(2_000))])).toBe(true);
});

const RECORD: ScrubRecord = {
  name: 's3',
  target: 's3://b/p',
  startedAt: '2026-01-31T12:00:00.000Z',
  cursor: '0/0000000000000001-0000000000000001.ltx',
  objects: 1,
  bytes: 100,
  damaged: [{ object: 'x', code: 'LTX_INVALID', why: 'y', at: '2026-01-31T12:00:00.000Z' }],
  mended: 0,
};

test('the record survives; a torn one, or one of a newer version, only costs a round', async () => {
  const folder = temporaryFolder();
  expect(await recordScrubs(path.join(folder, 'none'), [RECORD])).toBe('no folder');
  expect(await readScrubs(folder)).toEqual([]);
  expect(await recordScrubs(folder, [RECORD])).toBe('recorded');
  expect(await readScrubs(folder)).toEqual([RECORD]);
  const stored = path.join(folder, 'scrub.json');
  const text = fs.readFileSync(stored, 'utf8');
  fs.writeFileSync(stored, text.slice(0, -20));
  expect(await readScrubs(folder)).toEqual([]);
  fs.writeFileSync(stored, JSON.stringify([{ ...RECORD, damaged: 'new' }, RECORD]));
  expect(await readScrubs(folder)).toEqual([RECORD]);
});

test('a power loss does not forget damage', async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const files = new MemoryFiles();
    await files.makeFolder('/staging');
    await files.syncFolder('/');
    await recordScrubs('/staging', [{ ...RECORD, damaged: [] }], files);
    await recordScrubs('/staging', [RECORD], files);
    files.crash(randomFrom(seed));
    expect(await readScrubs('/staging', files)).toEqual([RECORD]);
  }
});
