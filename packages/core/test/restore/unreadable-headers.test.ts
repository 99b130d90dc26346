/** A damaged header does not end the search for a time: the files beside it decide. */

import { expect, test } from 'vitest';
import { ReplicationError } from '../../src/error.ts';
import { readHistory } from '../../src/restore/plan/read-history.ts';
import { surveyReplica } from '../../src/restore/plan/survey.ts';
import type { ReplicaFiles } from '../../src/replica/replica.ts';
import { randomFrom } from '../support/random.ts';
import { Bucket, encodeFile, History } from './bucket.ts';
import { timeOf } from './files.ts';
import { newSetting } from './setting.ts';

const COUNT = 8;
const history = new History(512);
for (let txid = 1; txid <= COUNT; txid += 1) history.commit(randomFrom(txid), 4, 2);

/** L0 1 to 8, and L1 with 3 to 5. */
function newBucket(): Bucket {
  const bucket = new Bucket();
  for (let txid = 1; txid <= COUNT; txid += 1) {
    bucket.put(0, txid, txid, encodeFile(txid, txid, history.content(txid, txid)));
  }
  bucket.put(1, 3, 5, encodeFile(3, 5, history.content(3, 5)));
  return bucket;
}

/** Damages the header of a file at level 0. */
function damage(bucket: Bucket, txid: number): void {
  bucket.bytes(0, txid, txid).fill(0, 0, 4);
}

const at = (txid: number) => ({ kind: 'timestamp', at: timeOf(txid) }) as const;

test('a file with a damaged header is left out and named', async () => {
  const bucket = newBucket();
  damage(bucket, 4);
  // In the order of times: before the damaged file, its own time, the next state, the newest.
  for (const [wanted, expected] of [
    [2, 2n],
    [4, 3n],
    [5, 5n],
    [8, 8n],
  ] as const) {
    const report = await newSetting().run({ client: bucket.client(), target: at(wanted) });
    expect(report.moment?.txid).toBe(expected);
    expect(report.avoided).toMatchObject([
      { file: expect.stringContaining('0000000000000004'), code: 'LTX_INVALID' },
    ]);
    const survey = await surveyReplica(bucket.client(), at(wanted));
    expect(survey).toMatchObject({ kind: 'restorable', plan: { txid: expected } });
  }
});

test('history leaves it out too, names it, and counts it', async () => {
  const bucket = newBucket();
  damage(bucket, 4);
  const report = await readHistory(bucket.client(), { momentsMax: 100 });
  expect(report?.moments.newest.map(({ txid }) => Number(txid))).toEqual([8, 7, 6, 5, 3, 2, 1]);
  expect(report?.unreadable).toMatchObject([
    { file: expect.stringContaining('0000000000000004'), code: 'LTX_INVALID' },
  ]);
  expect(report?.levels[0]).toMatchObject({ level: 0, files: COUNT });
});

test('if nothing else leads to the newest state, the error names the file and -txid', async () => {
  const bucket = newBucket();
  damage(bucket, COUNT);
  const setting = newSetting();
  const error = await setting.fail({ client: bucket.client(), target: at(COUNT + 1) });
  expect(error).toMatchObject({
    code: 'RESTORE_GAP',
    message: expect.stringMatching(/0000000000000008.*unusable.*use -txid 0000000000000007/),
  });
  const earlier = await setting.run({ client: bucket.client(), target: at(COUNT - 1) });
  expect(earlier.moment?.txid).toBe(7n);
});

test('if no file can be read, that is an error, and never "no backup"', async () => {
  const bucket = newBucket();
  bucket.remove(1, 3, 5);
  for (let txid = 1; txid <= COUNT; txid += 1) damage(bucket, txid);
  const error = await newSetting().fail({ client: bucket.client(), target: at(3) });
  expect(error).toMatchObject({
    code: 'RESTORE_GAP',
    message: expect.stringMatching(/none of the 8 files listed can be used.*-txid$/),
  });
  await expect(readHistory(bucket.client())).rejects.toMatchObject({ code: 'RESTORE_GAP' });
});

test('an error of the network is not damage', async () => {
  const whole = newBucket().client();
  const unplugged = new ReplicationError('REPLICA_UNAVAILABLE', 'unplugged');
  const client: ReplicaFiles = { ...whole, openFile: () => Promise.reject(unplugged) };
  await expect(surveyReplica(client, at(3))).rejects.toThrow('unplugged');
  await expect(readHistory(client)).rejects.toThrow('unplugged');
});
