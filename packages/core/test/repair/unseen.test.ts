/** What a repair must not call whole: states that have lost their full snapshot, and a backup that nobody has. */

import { expect, test } from 'vitest';
import { RETENTION_DEFAULTS } from '../../src/history/retention-policy.ts';
import { outcomeOf } from '../../src/repair/report.ts';
import { at, clockAt, made, makeFiles, placesWith, repairAll } from './scene.ts';
import { databasesAt, Place } from './shredded.ts';

const HOUR_MS = 3_600_000;
/** Files are written now. */
const NOW_MS = Date.now();

/** Two destinations with TXIDs 1 to 6 and a snapshot at 5, which have lost everything that begins with TXID 1 before it. */
async function withoutFirstSnapshot(): Promise<Place[]> {
  const { history, files } = makeFiles(6);
  const places = await placesWith([...files, made(9, 1, 5, history.image(5))], 'a', 'b');
  for (const place of places) {
    for (const level of [0, 9]) place.remove({ level, min: 1, max: 1 });
  }
  return places;
}

test('promised states whose full snapshot is missing everywhere are reported', async () => {
  const places = await withoutFirstSnapshot();
  expect([...(await databasesAt(places[0] as Place)).keys()]).toEqual([5, 6]);
  const options = { targets: { policy: RETENTION_DEFAULTS }, clock: clockAt(NOW_MS) };
  const report = await repairAll(places, options);
  expect(report.lost).toEqual([{ why: 'missing', fromTXID: 2n, toTXID: 4n }]);
  expect(outcomeOf(report, 'mend')).toBe('open');
});

test('a rest of what retention has deleted is not missing', async () => {
  const places = await withoutFirstSnapshot();
  const later = clockAt(NOW_MS + RETENTION_DEFAULTS.retentionMs + 2 * HOUR_MS);
  const options = { targets: { policy: RETENTION_DEFAULTS }, clock: later };
  expect(outcomeOf(await repairAll(places, options), 'mend')).toBe('whole');
});

test('where Sluice deletes nothing, somebody else may have deleted the first snapshot', async () => {
  expect(outcomeOf(await repairAll(await withoutFirstSnapshot()), 'mend')).toBe('whole');
});

test('a full snapshot that one destination has is no loss: it is copied', async () => {
  const [a, b] = (await withoutFirstSnapshot()) as [Place, Place];
  await a.write([makeFiles(6).files[0]!]);
  const options = { targets: { policy: RETENTION_DEFAULTS }, clock: clockAt(NOW_MS) };
  const report = await repairAll([a, b], options);
  expect(report.lost).toEqual([]);
  expect(outcomeOf(report, 'mend')).toBe('mended');
  expect(at(report, 'b').copies).toHaveLength(1);
  expect([...(await databasesAt(b)).keys()]).toEqual([1, 2, 3, 4, 5, 6]);
});

test('destinations without a single file are not whole', async () => {
  const report = await repairAll([new Place('a'), new Place('b')]);
  expect(outcomeOf(report, 'mend')).toBe('open');
});
