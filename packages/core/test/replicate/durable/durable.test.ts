/** A caller waits until its commits are at a number of destinations, and shares the uploads of others. */

import fs from 'node:fs';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { DurableReport } from '../../../src/replicate/durable/durability.ts';
import { Bucket, ROUND_TRIP_MS, startPlace, unavailable } from './place.ts';

/** Added to the bars of the figures, for a machine that does other things too. */
const BUSY_MS = Number(process.env['SLUICE_DURABLE_SLACK_MS'] ?? 300);

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Infinity;
}

/** Whether a promise has not settled after the events so far. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(
    () => 'settled',
    () => 'settled',
  );
  const later = new Promise((resolve) => setTimeout(resolve, 50, 'pending'));
  return (await Promise.race([settled, later])) === 'pending';
}

test('a commit is at every destination that is named, and can be restored from each alone', async () => {
  const buckets = [new Bucket('a'), new Bucket('b')];
  const { database, insert } = await startPlace(...buckets);
  for (let n = 1; n <= 20; n++) {
    insert(n);
    const { destinations } = await database.durable({ min: n % 2 === 0 ? 1 : 'all' });
    expect(destinations.length).toBeGreaterThanOrEqual(n % 2 === 0 ? 1 : 2);
    for (const bucket of buckets) {
      if (!destinations.includes(bucket.name)) continue;
      expect(await bucket.restoredValues()).toContain(n);
    }
  }
});

test('a wait does not end before the destination has answered', async () => {
  const bucket = new Bucket('a');
  const { database, insert } = await startPlace(bucket);
  const release = bucket.hold();
  insert('x');
  const begun = bucket.nextPut();
  const waiting = database.durable();
  await begun;
  expect(await isPending(waiting)).toBe(true);
  release();
  const { txid, destinations } = await waiting;
  expect(txid).toMatch(/^[0-9a-f]{16}$/);
  expect(destinations).toEqual(['a']);
});

test('a commit that is made while a cut is written gets into the next one', async () => {
  const bucket = new Bucket('a');
  const { database, insert } = await startPlace(bucket);
  const waits: Promise<DurableReport>[] = [];
  for (let n = 0; n < 30; n++) {
    insert(n);
    waits.push(
      database.durable().then(async (report) => {
        const values = await bucket.restoredValues();
        expect(values).toContain(n);
        return report;
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, n % 4));
  }
  await Promise.all(waits);
});

test('without a new commit nothing is sent', async () => {
  const bucket = new Bucket('a');
  const { database, insert } = await startPlace(bucket);
  insert('x');
  const first = await database.durable();
  const { puts } = bucket;
  expect(await database.durable()).toEqual(first);
  expect(bucket.puts).toBe(puts);
});

test('100 calls at once cost at most two writes per destination', async () => {
  const buckets = [new Bucket('a'), new Bucket('b')];
  const { database, insert } = await startPlace(...buckets);
  insert('first');
  await database.durable();
  for (const bucket of buckets) Object.assign(bucket, { roundTripMs: ROUND_TRIP_MS, puts: 0 });
  const times: number[] = [];
  const call = async (n: number): Promise<void> => {
    insert(n);
    const at = performance.now();
    await database.durable();
    times.push(performance.now() - at);
  };
  await Promise.all(Array.from({ length: 100 }, (_, n) => call(n)));
  expect(times).toHaveLength(100);
  for (const { puts } of buckets) expect(puts).toBeGreaterThan(0);
  for (const { puts } of buckets) expect(puts).toBeLessThanOrEqual(2);
  expect(median(times)).toBeLessThanOrEqual(ROUND_TRIP_MS + 60 + BUSY_MS);
});

test('writers that commit and wait in a loop share files', async () => {
  const bucket = new Bucket('a');
  const { database, insert } = await startPlace(bucket);
  bucket.roundTripMs = ROUND_TRIP_MS;
  bucket.puts = 0;
  const until = performance.now() + 2_000;
  const times: number[] = [];
  const write = async (): Promise<void> => {
    while (performance.now() < until) {
      insert('x');
      const at = performance.now();
      await database.durable();
      times.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: 100 }, write));
  expect(times.length).toBeGreaterThan(100);
  expect(bucket.puts).toBeLessThan(times.length / 20);
  expect(median(times)).toBeLessThanOrEqual(2 * ROUND_TRIP_MS + 60 + BUSY_MS);
});

test('a destination that hangs does not delay a wait for another one', async () => {
  const [good, bad] = [new Bucket('good'), new Bucket('bad')];
  const { database, insert } = await startPlace(good, bad);
  insert('first');
  await database.durable();
  bad.hold();
  for (let n = 0; n < 20; n++) {
    insert(n);
    expect(await database.durable({ min: 1 })).toMatchObject({ destinations: ['good'] });
  }
});

test('a timeout tells which destinations have the commit', async () => {
  const [good, bad] = [new Bucket('good'), new Bucket('bad')];
  const { file, database, insert } = await startPlace(good, bad);
  insert('first');
  const { txid: before } = await database.durable();
  const release = bad.hold();
  insert('second');
  const error = await database.durable({ timeoutMs: 300 }).catch((caught: unknown) => caught);
  release();
  const { txid } = await database.durable({ min: 1 });
  expect(error).toMatchObject({
    code: 'NOT_DURABLE',
    retryable: true,
    message:
      `wait until TXID ${txid} of ${file} is at 2 of 2 destinations: it was not there after 0.3 s; ` +
      `it is at good; bad is streaming at TXID ${before}; ` +
      'Sluice keeps trying to send it: fix the destination, or wait again',
    durable: {
      reason: 'timeout',
      txid,
      have: ['good'],
      lack: [{ name: 'bad', state: 'streaming', txid: before, error: undefined }],
    },
  });
  expect(await database.durable()).toEqual({ txid, destinations: ['good', 'bad'] });
});

test('an abort ends the wait with its reason', async () => {
  const bucket = new Bucket('a');
  const { database, insert } = await startPlace(bucket);
  bucket.hold();
  insert('x');
  const aborting = new AbortController();
  const begun = bucket.nextPut();
  const waiting = database.durable({ signal: aborting.signal, timeoutMs: Infinity });
  await begun;
  aborting.abort('enough');
  const error = { code: 'NOT_DURABLE', cause: 'enough', durable: { reason: 'aborted', have: [] } };
  await expect(waiting).rejects.toMatchObject(error);
  await expect(database.durable({ signal: aborting.signal })).rejects.toMatchObject(error);
});

test('a destination that fails for some seconds is lost', async () => {
  const [good, bad] = [new Bucket('good'), new Bucket('bad')];
  const { database, insert } = await startPlace(good, bad);
  insert('first');
  await database.durable();
  bad.failure = unavailable();
  insert('second');
  const waiting = database.durable({ min: 2, timeoutMs: Infinity });
  await expect(waiting).rejects.toMatchObject({
    code: 'NOT_DURABLE',
    message: expect.stringContaining('bad is failing') as unknown,
    durable: { reason: 'lost', have: ['good'], lack: [{ name: 'bad', state: 'failing' }] },
  });
}, 60_000);

test('closing ends the waits', async () => {
  const bucket = new Bucket('a');
  const { file, replicator, database, insert } = await startPlace(bucket);
  bucket.hold();
  insert('x');
  const begun = bucket.nextPut();
  const waiting = database.durable({ timeoutMs: Infinity });
  const ended = expect(waiting).rejects.toMatchObject({
    code: 'NOT_DURABLE',
    durable: { reason: 'closed' },
  });
  await begun;
  await replicator.close();
  await ended;
  await expect(database.durable()).rejects.toMatchObject({ durable: { reason: 'closed' } });
  expect(() => replicator.database(`${file}-other`)).toThrow(/does not replicate/);
});

test('a database that is replaced while a caller waits ends the wait', async () => {
  const bucket = new Bucket('a');
  const { file, db, database, insert } = await startPlace(bucket);
  insert('x');
  await database.durable();
  bucket.hold();
  insert('y');
  const begun = bucket.nextPut();
  const waiting = database.durable({ timeoutMs: 60_000 });
  const ended = expect(waiting).rejects.toMatchObject({
    code: 'NOT_DURABLE',
    durable: { reason: 'interrupted', have: [] },
  });
  await begun;
  const other = new Database(`${file}.new`);
  other.exec('CREATE TABLE t(v)');
  other.close();
  db.close();
  for (const suffix of ['-wal', '-shm']) fs.rmSync(`${file}${suffix}`, { force: true });
  fs.renameSync(`${file}.new`, file);
  await ended;
}, 60_000);

test.each([0, 3, 1.5, Number.NaN])('%s of two destinations is refused', async (min) => {
  const { database } = await startPlace(new Bucket('a'), new Bucket('b'));
  await expect(database.durable({ min })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});
