/** What repair finds, copies, refuses to copy, and reports. */

import { expect, test } from 'vitest';
import { RETENTION_DEFAULTS } from '../../src/history/retention-policy.ts';
import { isInPart } from '../../src/repair/parts.ts';
import { repair } from '../../src/repair/repair.ts';
import { outcomeOf, type RepairReport } from '../../src/repair/report.ts';
import {
  at,
  bytesAt,
  clockAt,
  LINEAGE,
  made,
  makeFiles,
  placesWith,
  repairAll,
  spoil,
} from './scene.ts';
import { databasesAt, Place, refOf, type MadeFile } from './shredded.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2026, 10, 29, 12);

test('equal destinations lack nothing, and nothing is written', async () => {
  const { files } = makeFiles(5);
  const places = await placesWith(files, 'a', 'b');
  const before = places.map(({ store }) => [...store.objects.values()]);
  expect(outcomeOf(await repairAll(places), 'mend')).toBe('whole');
  expect(places.map(({ store }) => [...store.objects.values()])).toEqual(before);
});

test('an empty destination gets every promised state', async () => {
  const { history, files } = makeFiles(5);
  const [full] = (await placesWith(files, 'full')) as [Place];
  const empty = new Place('empty');
  const report = await repairAll([full, empty]);
  expect(at(report, 'empty').lacking).toBe(5);
  expect(outcomeOf(report, 'mend')).toBe('mended');
  const databases = await databasesAt(empty);
  expect([...databases.keys()]).toEqual([1, 2, 3, 4, 5]);
  for (const [txid, bytes] of databases) expect(Buffer.compare(bytes, history.bytes(txid))).toBe(0);
});

test('a dry run names the same files, and writes nothing', async () => {
  const { files } = makeFiles(5);
  const [full] = (await placesWith(files, 'full')) as [Place];
  const empty = new Place('empty');
  const planned = await repairAll([full, empty], { mode: 'dry-run' });
  expect(empty.store.objects.size).toBe(0);
  expect(outcomeOf(planned, 'dry-run')).toBe('open');
  const done = await repairAll([full, empty]);
  const names = (report: RepairReport): object[] =>
    at(report, 'empty').copies.map(({ file }) => file);
  expect(names(planned)).toEqual(names(done));
});

test('a missing name without a missing state is not copied', async () => {
  const { files } = makeFiles(5);
  const [a, b] = (await placesWith(files, 'a', 'b')) as [Place, Place];
  b.remove({ level: 9, min: 1, max: 1 });
  expect(outcomeOf(await repairAll([a, b]), 'mend')).toBe('whole');
  expect(b.store.objects.size).toBe(files.length - 1);
});

test('one flipped bit in a large file is found only by reading it whole, is named, and is mended', async () => {
  const { files } = makeFiles(5);
  const [a, b] = (await placesWith(files, 'a', 'b')) as [Place, Place];
  const [snapshot] = files as [MadeFile];
  expect(snapshot.bytes.length).toBeGreaterThan(16 * 1024);
  spoil(b, snapshot);
  expect(outcomeOf(await repairAll([a, b]), 'mend')).toBe('whole');
  const report = await repairAll([a, b], { read: 'all' });
  expect(at(report, 'b').damaged).toMatchObject([{ file: refOf(snapshot), code: /^LTX_/ }]);
  expect(at(report, 'b').copies).toMatchObject([
    { file: refOf(snapshot), reason: 'damaged', from: 'a' },
  ]);
  expect(outcomeOf(report, 'mend')).toBe('mended');
  expect(Buffer.compare(bytesAt(b, snapshot) as Uint8Array, snapshot.bytes)).toBe(0);
});

test('each part of -read-data reads its own files, and all parts read every file once', () => {
  const { files } = makeFiles(40);
  for (const count of [1, 3, 7]) {
    for (const file of files) {
      const parts = Array.from({ length: count }, (_, index) => ({ number: index + 1, count }));
      expect(parts.filter((part) => isInPart(refOf(file), part))).toHaveLength(1);
    }
  }
});

test('only the part that holds it finds a flipped bit', async () => {
  const { files } = makeFiles(3);
  const [a, b] = (await placesWith(files, 'a', 'b')) as [Place, Place];
  const [snapshot] = files as [MadeFile];
  spoil(b, snapshot);
  const outcomes: string[] = [];
  for (const number of [1, 2]) {
    const report = await repairAll([a, b], { mode: 'dry-run', read: { number, count: 2 } });
    outcomes.push(outcomeOf(report, 'dry-run'));
  }
  expect(outcomes.sort()).toEqual(['open', 'whole']);
});

test('a truncated file is found by its end, and replaced', async () => {
  const { files } = makeFiles(3);
  const [a, b] = (await placesWith(files, 'a', 'b')) as [Place, Place];
  const [snapshot] = files as [MadeFile];
  b.change(snapshot, (bytes) => bytes.slice(0, bytes.length - 1_000));
  const report = await repairAll([a, b]);
  expect(at(report, 'b').copies).toMatchObject([{ file: refOf(snapshot), reason: 'damaged' }]);
  expect(Buffer.compare(bytesAt(b, snapshot) as Uint8Array, snapshot.bytes)).toBe(0);
});

test('what is damaged everywhere stays, and is reported with the states that it costs', async () => {
  const { files } = makeFiles(5);
  const places = await placesWith(files, 'a', 'b');
  const third = files[3] as MadeFile;
  expect(third).toMatchObject({ level: 0, min: 3 });
  for (const place of places) spoil(place, third);
  const report = await repairAll(places);
  expect(report.lost).toEqual([{ why: 'damaged', fromTXID: 3n, toTXID: 5n }]);
  expect(at(report, 'a')).toMatchObject({ stillDamaged: [refOf(third)], copies: [], stuckAt: 2n });
  expect(outcomeOf(report, 'mend')).toBe('open');
  for (const place of places) expect(place.store.objects.size).toBe(files.length);
});

test('what is missing everywhere is reported, although no name is known', async () => {
  const { history, files } = makeFiles(5);
  const later = made(9, 1, 5, history.image(5));
  const places = await placesWith([...files, later], 'a', 'b');
  for (const place of places) {
    for (const txid of [3, 4]) place.remove({ level: 0, min: txid, max: txid });
  }
  const report = await repairAll(places);
  expect(report.lost).toEqual([{ why: 'missing', fromTXID: 3n, toTXID: 4n }]);
  expect(outcomeOf(report, 'mend')).toBe('open');
});

test('two writers: equal names with other bytes are reported, and nothing is copied between them', async () => {
  const ours = makeFiles(5);
  const theirs = makeFiles(6, 2, 8n);
  const [a] = (await placesWith(ours.files, 'a')) as [Place];
  const [b] = (await placesWith(theirs.files, 'b')) as [Place];
  const c = new Place('c');
  const before = [a, b].map(({ store }) => [...store.objects.values()]);
  const report = await repairAll([a, b, c]);
  expect(report.conflicts).toMatchObject([{ destinations: ['a', 'b'] }]);
  expect(outcomeOf(report, 'mend')).toBe('open');
  expect([a, b].map(({ store }) => [...store.objects.values()])).toEqual(before);
  expect(c.store.objects.size).toBe(0);
});

test('two writers of one lineage, as a machine and its copy, are told by different increments', async () => {
  const [a] = (await placesWith(makeFiles(6).files, 'a')) as [Place];
  const [b] = (await placesWith(makeFiles(6, 2).files, 'b')) as [Place];
  b.remove({ level: 0, min: 6, max: 6 });
  const report = await repairAll([a, b]);
  expect(report.conflicts).toMatchObject([{ destinations: ['a', 'b'] }]);
  expect(at(report, 'b').copies).toEqual([]);
});

test('two writers: destinations of the same side still repair each other', async () => {
  const ours = makeFiles(5);
  const theirs = makeFiles(5, 2, 8n);
  const [a, c] = (await placesWith(ours.files, 'a', 'c')) as [Place, Place];
  const [b] = (await placesWith(theirs.files, 'b')) as [Place];
  c.remove({ level: 0, min: 5, max: 5 });
  const report = await repairAll([a, b, c]);
  expect(report.conflicts).toHaveLength(2);
  expect(at(report, 'c').copies).toMatchObject([{ from: 'a', file: { maxTXID: 5n } }]);
});

test('histories that share nothing are not mixed, even without a common name', async () => {
  const ours = makeFiles(6);
  const theirs = makeFiles(6, 2, 8n);
  const [a] = (await placesWith(ours.files.slice(0, 4), 'a')) as [Place];
  const [b] = (await placesWith(theirs.files.slice(4), 'b')) as [Place];
  const report = await repairAll([a, b]);
  expect(report.groups).toHaveLength(2);
  expect(a.store.objects.size).toBe(4);
  expect(outcomeOf(report, 'mend')).toBe('open');
});

test('a snapshot and an increment of one TXID and lineage are no conflict', async () => {
  const { history, files } = makeFiles(5);
  const [a, b] = (await placesWith(files, 'a', 'b')) as [Place, Place];
  await b.write([made(0, 4, 4, history.image(4))]);
  expect(outcomeOf(await repairAll([a, b]), 'mend')).toBe('whole');
});

test('an increment is copied only with a state of its own lineage to continue', async () => {
  const { history, files } = makeFiles(6);
  const snapshot = made(9, 1, 3, history.image(3), 9n);
  const increments = [4, 5, 6].map((txid) => made(0, txid, txid, history.content(txid, txid), 9n));
  const [a] = (await placesWith(files.slice(0, 4), 'a')) as [Place];
  const [b] = (await placesWith([...files.slice(0, 3), snapshot, ...increments], 'b')) as [Place];
  const report = await repairAll([a, b]);
  // `a` has TXID 3 of another lineage.
  expect(at(report, 'a').copies.map(({ file }) => file)).toEqual(
    [snapshot, ...increments].map(refOf),
  );
  expect(report.conflicts).toEqual([]);
});

test('a destination without an answer is named, and the others are repaired', async () => {
  const { files } = makeFiles(5);
  const [a, b] = (await placesWith(files, 'a', 'b')) as [Place, Place];
  b.remove({ level: 0, min: 5, max: 5 });
  const down = new Place('down');
  down.store.exists = false;
  const report = await repairAll([a, b, down]);
  expect(report.unanswered).toMatchObject([
    { name: 'down', code: 'REPLICA_DESTINATION_NOT_FOUND' },
  ]);
  expect(at(report, 'b').copies).toHaveLength(1);
  expect(outcomeOf(report, 'mend')).toBe('open');
});

test('what the replicator has not sent yet is left to it', async () => {
  const { files } = makeFiles(6);
  const [a, b] = (await placesWith(files, 'a', 'b')) as [Place, Place];
  for (const txid of [2, 5, 6]) b.remove({ level: 0, min: txid, max: txid });
  const destinations = [
    a.target({ sent: { txid: 6n, lineage: LINEAGE } }),
    b.target({ sent: { txid: 4n, lineage: LINEAGE } }),
  ];
  const report = await repair({ destinations, mode: 'mend', read: 'ends' });
  expect(at(report, 'b').copies.map(({ file }) => file.maxTXID)).toEqual([2n]);
  expect(outcomeOf(report, 'mend')).toBe('mended');
});

test('a destination that got a merged file instead of small ones lacks nothing', async () => {
  const { history, files } = makeFiles(6);
  const merge = made(1, 2, 5, history.content(2, 5));
  const [a, b] = (await placesWith([...files, merge], 'a', 'b')) as [Place, Place];
  for (const txid of [2, 3, 4]) b.remove({ level: 0, min: txid, max: txid });
  expect(outcomeOf(await repairAll([a, b]), 'mend')).toBe('whole');
  // It had some of them: the others were lost.
  await b.write(files.filter(({ level, max }) => level === 0 && max === 3));
  const report = await repairAll([a, b]);
  expect(at(report, 'b').copies.map(({ file }) => file.maxTXID)).toEqual([2n, 4n]);
});

test('what retention has deleted is not copied back, whatever the times of the copies are', async () => {
  const { history, files } = makeFiles(6);
  const last = made(9, 1, 5, history.image(5));
  const all = [...files, last];
  const [a, b, c] = (await placesWith(all, 'a', 'b', 'c')) as [Place, Place, Place];
  const retentionMs = 24 * HOUR_MS;
  const policy = { ...RETENTION_DEFAULTS, retentionMs };
  for (const place of [a, b, c]) {
    for (const file of all) {
      const ageMs = file.max <= 5 ? 2 * retentionMs : HOUR_MS;
      // `c` was copied a minute ago.
      const modifiedAt = new Date(NOW_MS - (place === c ? 60_000 : ageMs));
      place.store.put(place.key(file), file.bytes, { modifiedAt });
    }
  }
  for (const place of [a, b]) {
    for (const file of files) if (file.max <= 4 || file.level === 9) place.remove(file);
  }
  const before = b.store.objects.size;
  const report = await repairAll([a, b, c], { targets: { policy }, clock: clockAt(NOW_MS) });
  expect(at(report, 'b').copies).toEqual([]);
  expect(b.store.objects.size).toBe(before);
  // Within the retention every state is promised.
  const young = { ...policy, retentionMs: 30 * 24 * HOUR_MS };
  const more = await repairAll([a, b, c], { targets: { policy: young }, clock: clockAt(NOW_MS) });
  expect(at(more, 'b').lacking).toBe(4);
});

test('a destination whose clock is a year behind does not make promised states old', async () => {
  const timestamp = new Date(NOW_MS - HOUR_MS);
  const { history } = makeFiles(6);
  const files = [1, 2, 3, 4, 5, 6].map((txid) => {
    return made(0, txid, txid, { ...history.content(txid, txid), timestamp });
  });
  // Only its end is read, so its time is not known there.
  const last = made(9, 1, 6, { ...history.image(6), timestamp });
  const [a, b] = (await placesWith([...files, last], 'a', 'b')) as [Place, Place];
  for (const file of [...files, last]) {
    const { bytes } = file;
    a.store.put(a.key(file), bytes, { modifiedAt: new Date(NOW_MS - 365 * 24 * HOUR_MS) });
    b.store.put(b.key(file), bytes, { modifiedAt: timestamp });
  }
  b.remove(files[2] as MadeFile);
  const policy = { ...RETENTION_DEFAULTS, retentionMs: 24 * HOUR_MS };
  const report = await repairAll([a, b], { targets: { policy }, clock: clockAt(NOW_MS) });
  expect(at(report, 'b').copies).toMatchObject([{ from: 'a', file: { maxTXID: 3n } }]);
});

test('a damaged source gives nothing its name, and another source is taken', async () => {
  const { history, files } = makeFiles(4);
  const large = made(9, 1, 4, history.image(4));
  const [a, b, c] = (await placesWith([...files, large], 'a', 'b', 'c')) as [Place, Place, Place];
  for (const file of [...files, large]) c.remove(file);
  for (const file of files) for (const place of [a, b]) if (file.level === 0) place.remove(file);
  spoil(a, large);
  const report = await repairAll([a, b, c]);
  expect(at(report, 'c').copies.at(-1)).toMatchObject({ file: refOf(large), from: 'b' });
  expect(Buffer.compare(bytesAt(c, large) as Uint8Array, large.bytes)).toBe(0);
  // The damage that the copy met is mended too.
  expect(at(report, 'a').damaged).toMatchObject([{ file: refOf(large) }]);
  expect(Buffer.compare(bytesAt(a, large) as Uint8Array, large.bytes)).toBe(0);
});

test('if the only source has another checksum at its end, nothing is written', async () => {
  const { history } = makeFiles(4);
  const large = made(9, 1, 4, history.image(4));
  const [a] = (await placesWith([large], 'a')) as [Place];
  const c = new Place('c');
  // Only the checksum of all bytes tells.
  a.change(large, (bytes) => {
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    return bytes;
  });
  const report = await repairAll([a, c]);
  expect(c.store.objects.size).toBe(0);
  expect(at(report, 'a').stillDamaged).toEqual([refOf(large)]);
  expect(outcomeOf(report, 'mend')).toBe('open');
});
