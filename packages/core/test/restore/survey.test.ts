import { describe, expect, test } from 'vitest';
import { isError, ReplicationError, type ErrorCode, type ErrorDetails } from '../../src/error.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import type { LTXFileInfo, ReplicaFiles } from '../../src/replica/replica.ts';
import {
  includesState,
  surveyReplica,
  type SurveyedReplica,
} from '../../src/restore/plan/survey.ts';
import { randomFrom } from '../support/random.ts';
import { Bucket, encodeFile, History } from './bucket.ts';
import { timeOf } from './files.ts';

const LATEST = { kind: 'latest' } as const;
const history = new History(512);
for (let txid = 1; txid <= 5; txid += 1) history.commit(randomFrom(txid), 4, 2);

const LINEAGE = 0xabcdn;
const SNAPSHOT_AT = new Date('2030-01-01T00:00:00Z');

/** L0 1..1 to 5..5, and a later snapshot of 5. */
function newBucket(): Bucket {
  const bucket = new Bucket();
  for (let txid = 1; txid <= 5; txid += 1) {
    const content = { ...history.content(txid, txid), nodeID: LINEAGE };
    bucket.put(0, txid, txid, encodeFile(txid, txid, content));
  }
  const image = { ...history.image(5), nodeID: LINEAGE, timestamp: SNAPSHOT_AT };
  bucket.put(9, 1, 5, encodeFile(1, 5, image));
  return bucket;
}

async function surveyed(bucket: Bucket): Promise<SurveyedReplica> {
  const client = bucket.client();
  const survey = await surveyReplica(client, LATEST);
  if (survey.kind !== 'restorable') throw new Error(survey.kind);
  return { client, ...survey };
}

test("an empty listing is 'empty', not an error", async () => {
  expect(await surveyReplica(new Bucket().client(), LATEST)).toEqual({ kind: 'empty' });
});

test('the newest file gives the lineage and the time of the commit, not of the snapshot', async () => {
  const { newest } = await surveyed(newBucket());
  expect([newest.txid, newest.lineage, newest.at]).toEqual([5n, LINEAGE, timeOf(5)]);
});

test('for an older target, the last file of that target gives them', async () => {
  const target = { kind: 'txid', txid: toTXID(3) } as const;
  const survey = await surveyReplica(newBucket().client(), target);
  expect(survey).toMatchObject({ kind: 'restorable', newest: { txid: 3n, at: timeOf(3) } });
});

test('if its header cannot be read, another file that ends with the same TXID gives them', async () => {
  const bucket = newBucket();
  bucket.bytes(0, 5, 5).fill(0, 0, 4);
  const { newest } = await surveyed(bucket);
  expect([newest.txid, newest.lineage, newest.at]).toEqual([5n, LINEAGE, SNAPSHOT_AT]);
  bucket.bytes(9, 1, 5).fill(0, 0, 4);
  expect(await surveyReplica(bucket.client(), LATEST)).toMatchObject({
    kind: 'unusable',
    error: { code: 'LTX_INVALID' },
    newest: undefined,
  });
});

test("files that cannot be restored are 'unusable', and the newest one is returned", async () => {
  const bucket = newBucket();
  bucket.remove(9, 1, 5);
  bucket.remove(0, 4, 4);
  expect(await surveyReplica(bucket.client(), LATEST)).toMatchObject({
    kind: 'unusable',
    error: { code: 'RESTORE_GAP' },
    newest: { txid: 5n, lineage: LINEAGE },
  });
});

test('an unreachable destination is an error', async () => {
  const client = newBucket().client();
  const listFiles = async function* (): AsyncGenerator<LTXFileInfo> {
    yield* [];
    await Promise.reject(new Error('unplugged'));
  };
  await expect(surveyReplica({ ...client, listFiles }, LATEST)).rejects.toThrow('unplugged');
});

describe('a missing folder', () => {
  const kindOf = async (code: ErrorCode, details?: ErrorDetails): Promise<string> => {
    const client: ReplicaFiles = {
      ...newBucket().client(),
      listFiles: async function* () {
        yield* [];
        await Promise.reject(new ReplicationError(code, code, details));
      },
    };
    try {
      return (await surveyReplica(client, LATEST)).kind;
    } catch (error) {
      return isError(error) ? error.code : String(error);
    }
  };

  test("is 'empty' if it never existed, and an error otherwise", async () => {
    const code = 'REPLICA_DESTINATION_NOT_FOUND';
    expect(await kindOf(code, { isNew: true })).toBe('empty');
    expect(await kindOf(code)).toBe(code);
  });

  test('is not assumed after any other error', async () => {
    expect(await kindOf('REPLICA_UNAVAILABLE', { isNew: true })).toBe('REPLICA_UNAVAILABLE');
  });
});

test('a destination includes one that is behind it, but not the other way around', async () => {
  const whole = await surveyed(newBucket());
  const behind = newBucket();
  behind.remove(9, 1, 5);
  for (const txid of [4, 5]) behind.remove(0, txid, txid);
  const part = await surveyed(behind);
  expect(await includesState(whole, part)).toBe(true);
  expect(await includesState(part, whole)).toBe(false);
});

test('a file with the same name and size but other bytes does not match', async () => {
  const whole = await surveyed(newBucket());
  const forged = newBucket();
  const content = { ...history.content(5, 5), nodeID: LINEAGE, timestamp: new Date(1) };
  forged.put(0, 5, 5, encodeFile(5, 5, content));
  expect(forged.bytes(0, 5, 5)).toHaveLength(newBucket().bytes(0, 5, 5).length);
  expect(await includesState(whole, await surveyed(forged))).toBe(false);
});
