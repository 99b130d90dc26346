/** Which destinations are read together, and what a restore over them takes from where. */

import { describe, expect, test } from 'vitest';
import { ReplicationError } from '../../../src/error.ts';
import { Encryption } from '../../../src/encryption/age.ts';
import { EncryptedClient } from '../../../src/encryption/encrypted-client.ts';
import { toTXID } from '../../../src/ltx/txid.ts';
import { Replica, type ReplicaFiles } from '../../../src/replica/replica.ts';
import { bodyFromBytes } from '../../../src/store/body.ts';
import { newKeys } from '../../encryption/keys.ts';
import { Bucket, encodeFile } from '../bucket.ts';
import { timeOf } from '../files.ts';
import {
  errorOf,
  flip,
  LAST,
  LINEAGE,
  namesOf,
  newBucket,
  newHistory,
  put,
  restoreUnited,
  uniteAll,
} from './scene.ts';

const history = newHistory();
const other = newHistory(12);

describe('destinations of one history', () => {
  test('give what the other one lacks, and the report says what came from where', async () => {
    const [near, far] = [newBucket(history), newBucket(history)];
    near.remove(0, 4, 4);
    near.remove(0, 9, 9);
    flip(near, 0, 6, 6);
    far.remove(9, 1, 1);
    far.remove(0, 1, 1);
    far.remove(0, 2, 2);
    const { report, bytes } = await restoreUnited({ near, far });
    expect(bytes).toEqual(history.bytes(LAST));
    expect(report.readFrom.map(({ source, files }) => [source, files])).toEqual([
      ['near', 6],
      ['far', 3],
    ]);
    expect(report.avoided.map(({ source, file, code }) => [source, file, code])).toEqual([
      ['near', 'level 0 0000000000000006-0000000000000006.ltx', expect.stringMatching(/^LTX_/)],
    ]);
  });

  test('are all read from the nearest one if it has everything', async () => {
    const { report } = await restoreUnited({
      far: { client: newBucket(history).client(), listedInMs: 90 },
      near: { client: newBucket(history).client(), listedInMs: 2 },
    });
    expect(namesOf(report)).toEqual(['near']);
  });

  test('lead to older states too', async () => {
    const [near, far] = [newBucket(history), newBucket(history)];
    near.remove(0, 3, 3);
    far.remove(9, 1, 1);
    far.remove(0, 1, 1);
    const wanted = [
      { kind: 'txid', txid: toTXID(5) },
      { kind: 'timestamp', at: timeOf(5) },
    ] as const;
    for (const target of wanted) {
      const { report, bytes } = await restoreUnited({ near, far }, target);
      expect(bytes).toEqual(history.bytes(5));
      expect(namesOf(report)).toEqual(['near', 'far']);
    }
  });

  test('may be encrypted or not: their contents are compared', async () => {
    const near = newBucket(history);
    const { reader } = await newKeys();
    const bucket = new Bucket();
    const far = new Replica(new EncryptedClient(bucket.memory(), new Encryption(reader)), '');
    for await (const file of newBucket(history).client().listFiles('all')) {
      const { level, minTXID, maxTXID } = file;
      const bytes = near.bytes(level, Number(minTXID), Number(maxTXID));
      await far.writeFile(file, bodyFromBytes(bytes, timeOf(maxTXID)));
    }
    flip(near, 0, 5, 5);
    near.remove(0, 7, 7);
    const united = await uniteAll({ near, far: { client: far, listedInMs: 50 } });
    expect(united.conflicts).toEqual([]);
    const { report, bytes } = await restoreUnited({ near, far: { client: far, listedInMs: 50 } });
    expect(bytes).toEqual(history.bytes(LAST));
    expect(report.readFrom).toMatchObject([
      { source: 'near', files: 7 },
      { source: 'far', files: 2 },
    ]);
  });

  test('may be damaged in more files than a restore has attempts', async () => {
    const near = newBucket(history);
    for (let txid = 2; txid <= LAST; txid++) flip(near, 0, txid, txid);
    const { report, bytes } = await restoreUnited({ near, far: newBucket(history) });
    expect(bytes).toEqual(history.bytes(LAST));
    expect(report.avoided).toHaveLength(LAST - 1);
  });

  test('that lack a file together are apart, and the error names it', async () => {
    const [a, b] = [newBucket(history), newBucket(history)];
    for (const bucket of [a, b]) bucket.remove(0, 4, 4);
    const united = await uniteAll({ a, b });
    expect(united).toMatchObject({ kind: 'apart', error: { code: 'RESTORE_GAP' } });
    expect(united.kind === 'apart' && united.error?.message).toContain(
      'TXID 0000000000000004 is missing',
    );
  });
});

describe('a source that fails in the middle of a restore', () => {
  /** Fails at every read of a file at level 0, except of the last one, which is read before the restore. */
  function failing(
    bucket: Bucket,
    error: ReplicationError,
  ): { client: ReplicaFiles; reads: number } {
    const inner = bucket.client();
    const result = {
      reads: 0,
      client: {
        listFiles: inner.listFiles.bind(inner),
        writeFile: inner.writeFile.bind(inner),
        deleteFiles: inner.deleteFiles.bind(inner),
        async openFile(...[file, options]: Parameters<ReplicaFiles['openFile']>) {
          if (options?.range !== undefined || file.level !== 0 || file.maxTXID === BigInt(LAST)) {
            return await inner.openFile(file, options);
          }
          result.reads += 1;
          throw error;
        },
      },
    };
    return result;
  }

  test('is left out, and the others replace it', async () => {
    const near = failing(
      newBucket(history),
      new ReplicationError('REPLICA_UNAVAILABLE', 'read it: no route to host'),
    );
    const { report, bytes } = await restoreUnited({
      near: { client: near.client, listedInMs: 1 },
      far: { client: newBucket(history).client(), listedInMs: 50 },
    });
    expect(bytes).toEqual(history.bytes(LAST));
    expect(near.reads).toBeLessThanOrEqual(8); // one attempt, with the reads ahead of it
    expect(report.failedSources).toEqual([
      { source: 'near', code: 'REPLICA_UNAVAILABLE', message: 'near: read it: no route to host' },
    ]);
    expect(namesOf(report)).toEqual(['far']);
  });

  test('is an error if the others do not have the state', async () => {
    const near = failing(
      newBucket(history),
      new ReplicationError('REPLICA_UNAVAILABLE', 'read it: no route to host'),
    );
    const far = newBucket(history);
    far.remove(0, 5, 5);
    const error = await errorOf(
      restoreUnited({
        near: { client: near.client, listedInMs: 1 },
        far: { client: far.client(), listedInMs: 50 },
      }),
    );
    expect(error.code).toBe('REPLICA_UNAVAILABLE');
  });

  test('because a listed object is missing gives only that object up', async () => {
    const bucket = newBucket(history);
    const inner = bucket.client();
    const near: ReplicaFiles = {
      listFiles: inner.listFiles.bind(inner),
      writeFile: inner.writeFile.bind(inner),
      deleteFiles: inner.deleteFiles.bind(inner),
      async openFile(file, options) {
        if (file.maxTXID !== 5n) return await inner.openFile(file, options);
        throw new ReplicationError('REPLICA_NOT_FOUND', 'read it: no such object');
      },
    };
    const { report, bytes } = await restoreUnited({
      near: { client: near, listedInMs: 1 },
      far: { client: newBucket(history).client(), listedInMs: 50 },
    });
    expect(bytes).toEqual(history.bytes(LAST));
    expect(report.avoided).toMatchObject([{ source: 'near', code: 'REPLICA_NOT_FOUND' }]);
    expect(report.readFrom).toMatchObject([
      { source: 'near', files: 8 },
      { source: 'far', files: 1 },
    ]);
  });
});

describe('a header whose damage only the checksum of its file shows', () => {
  function change(bucket: Bucket, txid: number, offset: number): void {
    const bytes = bucket.bytes(0, txid, txid).slice();
    bytes[offset] = (bytes[offset] ?? 0) ^ 1;
    bucket.put(0, txid, txid, bytes);
  }

  test('does not decide which lineage is restored', async () => {
    const [near, far] = [newBucket(history), newBucket(history)];
    change(near, LAST, 79); // the lineage
    far.remove(9, 1, 1);
    far.remove(0, 1, 1);
    const { bytes } = await restoreUnited({ near, far });
    expect(bytes).toEqual(history.bytes(LAST));
  });

  test('does not decide which state is that of a time', async () => {
    const [near, far] = [newBucket(history), newBucket(history)];
    change(near, 6, 36); // its time: 2^24 ms later
    far.remove(9, 1, 1);
    const target = { kind: 'timestamp', at: timeOf(6) } as const;
    const { report, bytes } = await restoreUnited({ near, far }, target);
    expect([report.txid, report.avoided.length]).toEqual(['0000000000000006', 1]);
    expect(bytes).toEqual(history.bytes(6));
  });
});

describe('two writers that count on from the same state', () => {
  /** As a copied machine does: the same lineage, and other files from TXID 6 on. */
  function newFork(): Bucket {
    const fork = newBucket(history, LINEAGE, 5);
    for (let txid = 6; txid < LAST; txid++) put(fork, other, txid);
    return fork;
  }

  test('are never combined, and the file that shows it is named', async () => {
    const [mine, copy, fork] = [newBucket(history), newBucket(history), newFork()];
    mine.remove(0, 7, 7); // only the fork has it beside the copy
    expect(await uniteAll({ mine, fork })).toEqual({
      kind: 'apart',
      error: undefined,
      conflicts: [
        { source: 'fork', other: 'mine', file: 'level 0 0000000000000008-0000000000000008.ltx' },
      ],
    });
    const united = await uniteAll({ fork, mine, copy });
    expect(united.kind === 'united' && united.sources.map(({ name }) => name)).toEqual([
      'mine',
      'copy',
    ]);
    const { report, bytes } = await restoreUnited({ fork, mine, copy });
    expect(bytes).toEqual(history.bytes(LAST));
    expect(namesOf(report)).toEqual(['mine', 'copy']);
  });

  test('are not seen in a file that is damaged, but in the next one', async () => {
    const [mine, fork] = [newBucket(history), newFork()];
    flip(mine, 0, 8, 8);
    fork.put(0, 7, 7, fork.bytes(0, 7, 7).slice(0, 150));
    const { conflicts } = await uniteAll({ mine, fork });
    expect(conflicts).toMatchObject([{ file: 'level 0 0000000000000006-0000000000000006.ltx' }]);
  });

  test('are seen before a full snapshot that both got later', async () => {
    const [mine, fork] = [newBucket(history, LINEAGE, LAST - 1), newFork()];
    for (const bucket of [mine, fork]) {
      bucket.put(9, 1, LAST, encodeFile(1, LAST, { ...history.image(LAST), nodeID: 0x2222n }));
    }
    mine.remove(0, 6, 6); // only the fork has one of this name
    expect(await uniteAll({ mine, fork })).toMatchObject({ kind: 'united', conflicts: [] });
    const target = { kind: 'txid', txid: toTXID(8) } as const;
    expect(await uniteAll({ mine, fork }, target)).toEqual({
      kind: 'apart',
      error: undefined,
      conflicts: [
        { source: 'fork', other: 'mine', file: 'level 0 0000000000000008-0000000000000008.ltx' },
      ],
    });
  });

  test('with no name in common are found by the times of their files', async () => {
    const [mine, fork] = [newBucket(history, LINEAGE, 8), new Bucket()];
    mine.remove(0, 7, 7);
    const late = { ...other.content(7, 7), nodeID: LINEAGE, timestamp: timeOf(20) };
    fork.put(0, 7, 7, encodeFile(7, 7, late));
    const error = await errorOf(restoreUnited({ mine, fork }));
    expect([error.code, error.message]).toEqual([
      'LTX_NOT_CONTIGUOUS',
      expect.stringContaining('two replicators may have written them'),
    ]);
  });
});

describe('lineages', () => {
  test('of other runs are not mixed in, although a name is missing', async () => {
    const [mine, stale] = [newBucket(history), newBucket(other, 0x1111n, 7)];
    mine.remove(0, 4, 4);
    // It has the newest file of this lineage too, so it belongs to the history: it was behind for a while.
    for (const txid of [8, LAST]) put(stale, history, txid);
    const error = await errorOf(restoreUnited({ mine, stale }));
    expect([error.code, error.message]).toEqual([
      'LTX_NOT_CONTIGUOUS',
      expect.stringContaining('is of lineage 0000000000001111'),
    ]);
    const whole = newBucket(history);
    const { bytes, report } = await restoreUnited({ mine, stale, whole });
    expect(bytes).toEqual(history.bytes(LAST));
    expect(namesOf(report)).not.toContain('stale');
  });

  test('that are unknown are combined up to the last state in common', async () => {
    const [whole, behind] = [newBucket(history, 0n), newBucket(history, 0n, 6)];
    whole.remove(0, 3, 3);
    const { bytes, report } = await restoreUnited({ whole, behind });
    expect(bytes).toEqual(history.bytes(LAST));
    expect(namesOf(report)).toEqual(['whole', 'behind']);
  });

  test('that are unknown are not combined without such a state', async () => {
    const [whole, behind] = [newBucket(history, 0n), newBucket(history, 0n, 6)];
    whole.remove(0, 3, 3);
    whole.remove(0, 6, 6);
    expect(await uniteAll({ whole, behind })).toMatchObject({ kind: 'apart', conflicts: [] });
  });
});
