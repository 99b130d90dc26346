/** Drills of a bucket in memory, with random pages: no SQLite. */

import fs from 'node:fs';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { drill, type DrillOptions, type DrillReport } from '../../src/drill/drill.ts';
import { pickTXID } from '../../src/drill/restore-ltx.ts';
import { systemFiles } from '../../src/file-system.ts';
import { ReplicationError } from '../../src/error.ts';
import { randomFrom } from '../support/random.ts';
import { Bucket, encodeFile, History } from '../restore/bucket.ts';
import { file, timeOf } from '../restore/files.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const LAST = 6;
const PAGES = 6;
const PAGE_SIZE = 512;

/** A snapshot of 1..4, and increments 4..6. `merged`: also a merge of 5..6. */
function makeBucket(extra?: 'merged'): Bucket {
  const random = randomFrom(3);
  const history = new History(PAGE_SIZE);
  for (let txid = 1; txid <= LAST; txid++) history.commit(random, PAGES, 2);
  const bucket = new Bucket();
  bucket.put(9, 1, 4, encodeFile(1, 4, history.image(4)));
  if (extra === 'merged') bucket.put(1, 5, 6, encodeFile(5, 6, history.content(5, 6)));
  for (let txid = 4; txid <= LAST; txid++) {
    bucket.put(0, txid, txid, encodeFile(txid, txid, history.content(txid, txid)));
  }
  return bucket;
}

/** A snapshot of a database of SQLite. */
function makeDatabaseBucket(): Bucket {
  const database = new Database(':memory:');
  database.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)');
  const image = database.serialize();
  database.close();
  const pageSize = 4_096;
  const commit = image.length / pageSize;
  const pages = Array.from({ length: commit }, (_, index): [number, Uint8Array] => [
    index + 1,
    image.subarray(index * pageSize, (index + 1) * pageSize),
  ]);
  const bucket = new Bucket();
  bucket.put(9, 1, 1, encodeFile(1, 1, { pageSize, commit, pages: new Map(pages) }));
  return bucket;
}

async function run(bucket: Bucket, more: Partial<DrillOptions> = {}): Promise<DrillReport> {
  return await drill({
    name: 'bucket',
    open: () => Promise.resolve({ client: bucket.client() }),
    target: { kind: 'latest' },
    folder: temporaryFolder(),
    integrityCheck: 'none',
    assertions: [],
    signal: new AbortController().signal,
    ...more,
  });
}

function flip(bytes: Uint8Array): void {
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
}

test('the newest state is restored, with its time and the time that it took', async () => {
  const report = await run(makeBucket());
  expect(report).toMatchObject({
    result: 'ok',
    problems: [],
    txid: '0000000000000006',
    newestTXID: '0000000000000006',
    timestamp: timeOf(6).toISOString(),
    filesListed: 4,
    databaseBytes: PAGES * PAGE_SIZE,
    comparison: { kind: 'not compared', why: 'there is no live database here' },
  });
  expect(report.restoreMs).toBeGreaterThanOrEqual(0);
  expect(report.lossWindowMs).toBeGreaterThan(0);
});

test.each([
  ['TXID', '0000000000000005', { kind: 'txid', txid: 5n } as DrillOptions['target']],
  ['time', '0000000000000004', { kind: 'timestamp', at: timeOf(4) } as const],
])('the state of a %s is restored: %s', async (_, txid, target) => {
  const report = await run(makeBucket(), { target });
  expect(report).toMatchObject({ result: 'ok', txid, newestTXID: '0000000000000006' });
});

test('a random state is one that can be restored, and each of them is drawn', () => {
  const listed = [file(9, 1, 3), file(0, 4, 4), file(0, 5, 5), file(0, 8, 8)];
  const drawn = [0, 0.4, 0.7, 0.999].map((fraction) =>
    pickTXID(listed, { fraction: () => fraction, bits64: () => 0n }),
  );
  expect(drawn).toEqual([3n, 4n, 5n, 5n]);
});

/** The file of TXID 5 is missing when it is about to be read; a merged file has its pages. */
function missing(bucket: Bucket, how: 'deleted' | 'listed'): DrillOptions['open'] {
  const client = bucket.client();
  const openFile: typeof client.openFile = async (ref, options) => {
    if (ref.level === 0 && ref.maxTXID === 5n) {
      if (how === 'listed') throw new ReplicationError('REPLICA_NOT_FOUND', 'open: no such object');
      bucket.remove(0, 5, 5);
    }
    return await client.openFile(ref, options);
  };
  return () => Promise.resolve({ client: Object.assign(Object.create(client), { openFile }) });
}

test('a random state that expires meanwhile is no failure: another one is drawn', async () => {
  const draws = [0.5, 0.9];
  const random = { fraction: () => draws.shift() ?? 0, bits64: () => 0n };
  const bucket = makeBucket('merged');
  const report = await run(bucket, {
    open: missing(bucket, 'deleted'),
    target: { kind: 'random' },
    random,
  });
  expect(report).toMatchObject({ result: 'ok', txid: '0000000000000006', problems: [] });
  expect(draws).toEqual([]);
});

test('a random state with a file that is listed but missing is a failure', async () => {
  const random = { fraction: () => 0.5, bits64: () => 0n };
  const bucket = makeBucket('merged');
  const open = missing(bucket, 'listed');
  const report = await run(bucket, { open, target: { kind: 'random' }, random });
  expect(report).toMatchObject({ result: 'failed', problems: [{ code: 'REPLICA_NOT_FOUND' }] });
});

test('a named state that expires meanwhile is a failure', async () => {
  const bucket = makeBucket('merged');
  const target = { kind: 'txid', txid: 5n } as DrillOptions['target'];
  const report = await run(bucket, { open: missing(bucket, 'deleted'), target });
  expect(report).toMatchObject({ result: 'failed', problems: [{ code: 'REPLICA_NOT_FOUND' }] });
});

test('a database beyond the disk budget is inconclusive, with both numbers', async () => {
  const needed = PAGES * PAGE_SIZE + 64 * 1024;
  expect((await run(makeBucket(), { scratchBytesMax: needed })).result).toBe('ok');
  const folder = temporaryFolder();
  const report = await run(makeBucket(), { folder, scratchBytesMax: needed - 1 });
  expect(report).toMatchObject({ result: 'inconclusive', txid: undefined });
  expect(report.problems[0]?.message).toContain(
    `restore ${needed} bytes to ${folder}: a drill may use only ${needed - 1} bytes there`,
  );
  expect(fs.readdirSync(folder)).toEqual([]);
});

test('a drill of the schedule leaves a tenth of the disk free', async () => {
  const needed = PAGES * PAGE_SIZE + 64 * 1024;
  const sizeBytes = 10_000_000;
  const withFree = (availableBytes: number): Partial<DrillOptions> => ({
    files: { ...systemFiles, volume: () => Promise.resolve({ availableBytes, sizeBytes }) },
  });
  const usable = 'above the reserve';
  const enough = { ...withFree(needed + 1_000_000), usable } as const;
  expect((await run(makeBucket(), enough)).result).toBe('ok');
  expect((await run(makeBucket(), withFree(needed))).result).toBe('ok');
  const report = await run(makeBucket(), { ...withFree(needed + 999_999), usable });
  expect(report.result).toBe('inconclusive');
  expect(report.problems[0]?.message).toContain(
    `only ${needed + 999_999} bytes are free there, of which 1000000 stay free for others`,
  );
});

test('a damaged object without a replacement is named', async () => {
  const bucket = makeBucket();
  flip(bucket.bytes(0, 6, 6));
  const object = 'level 0 0000000000000006-0000000000000006.ltx';
  expect(await run(bucket)).toMatchObject({ result: 'failed', problems: [{ object }] });
});

test('a damaged header is named too', async () => {
  const bucket = makeBucket();
  bucket.bytes(0, 6, 6).fill(0, 0, 16);
  const object = 'level 0 0000000000000006-0000000000000006.ltx';
  expect(await run(bucket)).toMatchObject({ result: 'failed', problems: [{ object }] });
});

test('a damaged object fails the drill even if other files replace it', async () => {
  const bucket = makeBucket('merged');
  flip(bucket.bytes(1, 5, 6));
  expect(await run(bucket)).toMatchObject({
    result: 'failed',
    txid: '0000000000000006',
    problems: [{ object: 'level 1 0000000000000005-0000000000000006.ltx' }],
  });
});

test('no backup, a gap, an older state than the one that was sent: failed', async () => {
  const sent = { txid: 7n, lineage: 1n };
  const code = (report: DrillReport): unknown => [report.result, report.problems[0]?.code];
  expect(code(await run(new Bucket()))).toEqual(['failed', 'RESTORE_NO_SNAPSHOT']);
  expect(code(await run(new Bucket(), { sent }))).toEqual(['failed', 'RESTORE_NO_SNAPSHOT']);
  expect(code(await run(makeBucket(), { sent }))).toEqual(['failed', 'RESTORE_GAP']);
  expect(code(await run(makeBucket(), { sent: { ...sent, txid: 6n } }))).toEqual(['ok', undefined]);
  const bucket = makeBucket();
  bucket.remove(9, 1, 4);
  // Whichever state is wanted, the newest must be restorable.
  const target = { kind: 'txid', txid: 5n } as DrillOptions['target'];
  expect(code(await run(bucket, { target }))).toEqual(['failed', 'RESTORE_GAP']);
});

test('a destination that cannot be reached is inconclusive', async () => {
  const error = new ReplicationError('REPLICA_UNAVAILABLE', 'connect: refused');
  const report = await run(makeBucket(), { open: () => Promise.reject(error) });
  expect(report).toMatchObject({
    result: 'inconclusive',
    problems: [{ code: 'REPLICA_UNAVAILABLE', message: 'connect: refused' }],
    txid: undefined,
    lossWindowMs: undefined,
  });
});

test('too little room is inconclusive, with both numbers, and nothing is written', async () => {
  const folder = temporaryFolder();
  const sideFiles = 64 * 1024;
  const needed = PAGES * PAGE_SIZE + sideFiles;
  const volume = async (): Promise<{ availableBytes: number; sizeBytes: number }> =>
    Promise.resolve({ availableBytes: needed - 1, sizeBytes: 1e9 });
  const report = await run(makeBucket(), { folder, files: { ...systemFiles, volume } });
  expect(report.result).toBe('inconclusive');
  expect(report.problems).toMatchObject([{ code: 'RESTORE_OUTPUT' }]);
  expect(report.problems[0]?.message).toContain(
    `restore ${needed} bytes to ${folder}: only ${needed - 1} bytes are free there`,
  );
  expect(fs.readdirSync(folder)).toEqual([]);
});

test('an abort rejects with its reason', async () => {
  const controller = new AbortController();
  const reason = new Error('stop');
  const open: DrillOptions['open'] = () => {
    controller.abort(reason);
    return Promise.resolve({ client: makeBucket().client() });
  };
  await expect(run(makeBucket(), { open, signal: controller.signal })).rejects.toBe(reason);
});

test('a check that never ends is killed after its time, and named: inconclusive', async () => {
  const endless =
    'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT count(*) FROM n';
  const sizes: number[] = [];
  const examinationMsMax = (databaseBytes: number): number => sizes.push(databaseBytes) * 5_000;
  const assertions = ['SELECT 1', endless];
  const report = await run(makeDatabaseBucket(), { assertions, examinationMsMax });
  expect(report).toMatchObject({ result: 'inconclusive', txid: '0000000000000001' });
  expect(report.problems).toEqual([
    {
      message: expect.stringMatching(
        /the assertion "WITH RECURSIVE .* had not ended when the time for all checks, 5 s, was over: make it faster/,
      ) as string,
      code: undefined,
      object: undefined,
    },
  ]);
  expect(sizes).toEqual([report.databaseBytes]);
});
