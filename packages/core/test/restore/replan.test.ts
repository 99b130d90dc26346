/** Missing or damaged files are replaced by others that lead to the same state, and reported. */

import { describe, expect, test } from 'vitest';
import { ReplicationError } from '../../src/error.ts';
import type { OpenFileOptions, ReplicaFiles } from '../../src/replica/replica.ts';
import { describeFile } from '../../src/store/describe.ts';
import type { LTXFileRef } from '../../src/store/layout.ts';
import { randomFrom } from '../support/random.ts';
import { Bucket, encodeFile, History } from './bucket.ts';
import { newSetting } from './setting.ts';

const LAST = 9;

/** Snapshot 1..4, increments 5..9, and a merge of 5..8. */
function makeBucket(): { bucket: Bucket; history: History } {
  const random = randomFrom(11);
  const history = new History(512);
  for (let txid = 1; txid <= LAST; txid++) history.commit(random, 6, 2);
  const bucket = new Bucket();
  bucket.put(9, 1, 4, encodeFile(1, 4, history.image(4)));
  bucket.put(1, 5, 8, encodeFile(5, 8, history.content(5, 8)));
  for (let txid = 5; txid <= LAST; txid++) {
    bucket.put(0, txid, txid, encodeFile(txid, txid, history.content(txid, txid)));
  }
  return { bucket, history };
}

interface Watched {
  readonly client: ReplicaFiles;
  readonly opened: string[];
  listings: number;
}

/** A client that records opened files and runs `before` first. */
function watched(bucket: Bucket, before?: (file: LTXFileRef) => void): Watched {
  const inner = bucket.client();
  const result: Watched = {
    opened: [],
    listings: 0,
    client: {
      listFiles(level, options) {
        result.listings += 1;
        return inner.listFiles(level, options);
      },
      async openFile(file: LTXFileRef, options?: OpenFileOptions) {
        before?.(file);
        result.opened.push(describeFile(file));
        return await inner.openFile(file, options);
      },
      writeFile: inner.writeFile.bind(inner),
      deleteFiles: inner.deleteFiles.bind(inner),
    },
  };
  return result;
}

describe('a file that is missing when it is read', () => {
  test('is replaced by the file that it was merged into', async () => {
    const { bucket, history } = makeBucket();
    const { client, ...rest } = watched(bucket, (file) => {
      if (file.level !== 1) return;
      bucket.remove(1, 5, 8);
      bucket.put(2, 5, 9, encodeFile(5, 9, history.content(5, 9)));
    });
    const setting = newSetting();
    const report = await setting.run({ client });
    expect(setting.bytes()).toEqual(history.bytes(LAST));
    expect([report.txid, report.avoided]).toEqual(['0000000000000009', []]);
    expect(rest.opened.at(-1)).toMatch(/level (2|9) /);
  });

  test('each time is an error after three listings', async () => {
    const { bucket } = makeBucket();
    const watching = watched(bucket, (file) => {
      if (file.level !== 9) return;
      throw new ReplicationError('REPLICA_NOT_FOUND', 'open: no such object');
    });
    const setting = newSetting();
    expect((await setting.fail({ client: watching.client })).code).toBe('REPLICA_NOT_FOUND');
    expect(watching.listings).toBe(3);
    expect(setting.names()).toEqual([]);
  });

  test('is a gap if no other file leads to the state', async () => {
    const { bucket } = makeBucket();
    const { client } = watched(bucket, (file) => {
      if (file.level !== 1) return;
      bucket.remove(1, 5, 8);
      bucket.remove(0, 6, 6);
    });
    const setting = newSetting();
    expect((await setting.fail({ client })).code).toBe('RESTORE_GAP');
    expect(setting.names()).toEqual([]);
  });
});

describe('a corrupt file', () => {
  function corrupt(bucket: Bucket, level: number, min: number, max: number): void {
    const bytes = bucket.bytes(level, min, max).slice();
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    bucket.put(level, min, max, bytes);
  }

  test('is replaced by others that lead to the same state, and reported', async () => {
    const { bucket, history } = makeBucket();
    corrupt(bucket, 1, 5, 8);
    const setting = newSetting();
    const report = await setting.run({ client: bucket.client() });
    expect(setting.bytes()).toEqual(history.bytes(LAST));
    expect(report.avoided).toEqual([
      {
        file: 'level 1 0000000000000005-0000000000000008.ltx',
        source: 'bucket',
        code: 'LTX_CHECKSUM_MISMATCH',
        message: expect.stringContaining('level 1 '),
      },
    ]);
  });

  /** Such a database has room nowhere. */
  function claimHugeSize(bucket: Bucket): void {
    const bytes = bucket.bytes(0, LAST, LAST);
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(12, 0xffff_fff0);
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(8, 65_536);
  }

  test('that claims a huge database is replaced, or blamed instead of the disk', async () => {
    const { bucket, history } = makeBucket();
    claimHugeSize(bucket);
    const setting = newSetting();
    expect((await setting.fail({ client: bucket.client() })).code).toMatch(/^LTX_/);
    bucket.put(1, 8, LAST, encodeFile(8, LAST, history.content(8, LAST)));
    const report = await setting.run({ client: bucket.client() });
    expect(setting.bytes()).toEqual(history.bytes(LAST));
    expect(report.avoided.map(({ file }) => file)).toEqual([
      'level 0 0000000000000009-0000000000000009.ltx',
    ]);
  });

  test('that cannot be replaced is an error, never an older state', async () => {
    const { bucket } = makeBucket();
    corrupt(bucket, 0, 9, 9);
    const setting = newSetting();
    const error = await setting.fail({ client: bucket.client() });
    expect([error.code, error.message]).toEqual([
      'LTX_CHECKSUM_MISMATCH',
      expect.stringContaining('level 0 0000000000000009'),
    ]);
    expect(setting.names()).toEqual([]);
  });

  test('before a full snapshot is not needed', async () => {
    const { bucket, history } = makeBucket();
    bucket.put(0, 9, 9, encodeFile(9, 9, history.image(9)));
    corrupt(bucket, 1, 5, 8);
    corrupt(bucket, 9, 1, 4);
    const setting = newSetting();
    const report = await setting.run({ client: bucket.client() });
    expect(setting.bytes()).toEqual(history.bytes(LAST));
    expect([report.filesRead, report.avoided]).toEqual([1, []]);
  });
});

describe('lineages', () => {
  const [A, B] = [0xaaaan, 0xbbbbn];

  /** Files 9/1-4, then 0/5 to 0/9, with these lineages; TXID 7 as an image or not. */
  function withLineages(
    nodeIDs: readonly bigint[],
    seven: 'image' | 'increment',
  ): Watched & {
    history: History;
    bucket: Bucket;
  } {
    const { bucket, history } = makeBucket();
    bucket.remove(1, 5, 8);
    const [base = 0n, ...rest] = nodeIDs;
    bucket.put(9, 1, 4, encodeFile(1, 4, { ...history.image(4), nodeID: base }));
    for (const [i, nodeID] of rest.entries()) {
      const txid = 5 + i;
      const isImage = txid === 7 && seven === 'image';
      const content = isImage ? history.image(txid) : history.content(txid, txid);
      bucket.put(0, txid, txid, encodeFile(txid, txid, { ...content, nodeID }));
    }
    return { ...watched(bucket), history, bucket };
  }

  test('are combined if they are equal or unknown', async () => {
    for (const nodeIDs of [
      [A, A, A, A, A, A],
      [A, 0n, A, 0n, 0n, A],
      [0n, 0n, B, B, B, 0n],
    ]) {
      const { client, history } = withLineages(nodeIDs, 'increment');
      const setting = newSetting();
      await setting.run({ client });
      expect(setting.bytes()).toEqual(history.bytes(LAST));
    }
  });

  test('may change at a full snapshot', async () => {
    const { client, history } = withLineages([A, A, A, B, B, 0n], 'image');
    const setting = newSetting();
    const report = await setting.run({ client });
    expect(setting.bytes()).toEqual(history.bytes(LAST));
    expect(report.filesRead).toBe(3);
  });

  test('may not change anywhere else, even with unknown ones in between', async () => {
    for (const nodeIDs of [
      [A, A, A, B, B, B],
      [A, 0n, 0n, 0n, 0n, B],
    ]) {
      const { client } = withLineages(nodeIDs, 'increment');
      const setting = newSetting();
      const error = await setting.fail({ client });
      expect([error.code, error.message]).toEqual([
        'LTX_NOT_CONTIGUOUS',
        expect.stringContaining('different runs'),
      ]);
      expect(setting.names()).toEqual([]);
    }
  });

  test('of a file that spans a change are avoided by using other files', async () => {
    const { bucket, history, client } = withLineages([A, A, A, B, B, B], 'image');
    const foreign = new History(512);
    for (let txid = 1; txid <= LAST; txid++) foreign.commit(randomFrom(99), 6, 3);
    bucket.put(1, 5, 8, encodeFile(5, 8, { ...foreign.content(5, 8), nodeID: A }));
    const setting = newSetting();
    const report = await setting.run({ client });
    expect(setting.bytes()).toEqual(history.bytes(LAST));
    expect(report.avoided.map(({ code, file }) => [code, file])).toEqual([
      ['LTX_NOT_CONTIGUOUS', 'level 1 0000000000000005-0000000000000008.ltx'],
    ]);
  });
});
