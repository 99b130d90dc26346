import assert from 'node:assert/strict';

import { keyOf, Replica, toTXID } from '@sluice/core/backend/testing';

import type { Case } from '../case.ts';
import {
  assertAtLeast,
  assertAtMost,
  CREATED_AT,
  list,
  names,
  pattern,
  ref,
  write,
} from '../helpers.ts';

const TXID_MAX = toTXID(0xffff_ffff_ffff_ffffn);
/** Maximum difference between the clocks of two machines. */
const CLOCK_MS_MAX = 5 * 60_000;

export const listCases: readonly Case[] = [
  {
    id: 'list/never-written-is-empty',
    promise: 'Listing an unused level or replica returns no files.',
    async run({ replica }) {
      assert.deepEqual(await list(replica, 3), []);
      assert.deepEqual(await list(replica, 'all'), []);
    },
  },
  {
    id: 'list/in-order',
    promise:
      'Files of a level are listed by (minTXID, maxTXID), regardless of the order in which they were written.',
    async run({ replica }) {
      const ordered = [ref(1, 1), ref(1, 2, 3), ref(1, 2, 17), ref(1, 9), ref(1, 16), ref(1, 256n)];
      for (const index of [4, 1, 5, 0, 3, 2]) await write(replica, ordered[index]!, pattern(9, 1));
      assert.deepEqual(names(await list(replica, 1)), names(ordered));
    },
  },
  {
    id: 'list/from-a-txid',
    promise: 'A listing from a TXID starts at the first file whose minTXID is equal or greater.',
    async run({ replica }) {
      for (const txid of [1, 15, 16, 17, 300]) await write(replica, ref(0, txid), pattern(9, 1));
      const namesFrom = async (txid: number): Promise<string[]> =>
        names(await list(replica, 0, { from: toTXID(txid) }));
      assert.deepEqual(await namesFrom(16), names([ref(0, 16), ref(0, 17), ref(0, 300)]));
      assert.deepEqual(await namesFrom(18), names([ref(0, 300)]));
      assert.deepEqual(await namesFrom(301), []);
    },
  },
  {
    id: 'list/all-levels',
    promise:
      'A listing of all levels has the same files as the listings of levels 0 to 9, each level in order.',
    async run({ replica }) {
      const files = Array.from({ length: 10 }, (_, level) => [
        ref(level, 2),
        ref(level, 1, 3),
      ]).flat();
      for (const file of files) await write(replica, file, pattern(file.level, 1));
      const listed = await list(replica, 'all');
      assert.deepEqual(names(listed).toSorted(), names(files).toSorted());
      for (let level = 0; level <= 9; level += 1) {
        const ofLevel = listed.filter((file) => file.level === level);
        assert.deepEqual(names(ofLevel), names([ref(level, 1, 3), ref(level, 2)]));
        assert.deepEqual(
          ofLevel.map((file) => file.sizeBytes),
          [level, level],
        );
        assert.deepEqual(names(await list(replica, level)), names(ofLevel));
      }
    },
  },
  {
    id: 'list/every-txid',
    promise: 'Every 64-bit TXID can be written and listed.',
    async run({ replica }) {
      const files = [ref(0, 1), ref(0, 0xffff_ffffn), ref(0, 2n ** 53n + 1n), ref(0, TXID_MAX)];
      for (const file of files) await write(replica, file, pattern(9, 1));
      assert.deepEqual(names(await list(replica, 0)), names(files));
      assert.deepEqual(
        names(await list(replica, 0, { from: TXID_MAX })),
        names([ref(0, TXID_MAX)]),
      );
    },
  },
  {
    id: 'list/sizes-and-times',
    promise:
      'A listing has the size and the upload time of each file; createdAt is exact to the millisecond or missing.',
    async run({ replica }) {
      const before = Date.now();
      await write(replica, ref(0, 7), pattern(1234, 1));
      const [info, ...others] = await list(replica, 0);
      assert(info !== undefined, 'the file is listed');
      assert.deepEqual(names(others), [], 'other files');
      assert.equal(info.sizeBytes, 1234);
      // The time of the upload, not createdAt.
      const modifiedAt = info.modifiedAt.getTime();
      assertAtLeast(modifiedAt, before - CLOCK_MS_MAX, 'modifiedAt, in ms');
      assertAtMost(modifiedAt, Date.now() + CLOCK_MS_MAX, 'modifiedAt, in ms');
      if (info.createdAt !== undefined) assert.deepEqual(info.createdAt, CREATED_AT);
    },
  },
  {
    id: 'list/neighbors-are-not-ours',
    promise: 'A listing does not include the files of neighboring or nested replicas.',
    async run({ client, path, replica }) {
      const neighbors = [`${path}-b`, `${path}/below`, `${path}/0000`, `${path}/ltx`].map(
        (other) => new Replica(client, other),
      );
      await write(replica, ref(0, 1), pattern(9, 1));
      for (const other of neighbors) await write(other, ref(0, 2), pattern(9, 1));
      assert.deepEqual(names(await list(replica, 'all')), names([ref(0, 1)]));
      assert.deepEqual(names(await list(replica, 0)), names([ref(0, 1)]));
      for (const other of neighbors)
        assert.deepEqual(names(await list(other, 'all')), names([ref(0, 2)]));
    },
  },
  {
    id: 'list/foreign-objects-are-left-out',
    promise: 'Listings skip objects that are not LTX files of the replica.',
    needs: ['raw'],
    async run({ subject, path, replica, setup }) {
      await write(replica, ref(0, 1), pattern(9, 1));
      const key = keyOf(subject.layout, path, ref(0, 2));
      const foreign = [
        `${key}.tmp`,
        key.replace('02.ltx', '0A.ltx'),
        key.replace(/[^/]+$/, 'sub/0000000000000003-0000000000000003.ltx'),
        key.replace(/[^/]+$/, 'notes.txt'),
        `${path}/generations/0123456789abcdef/snapshots/00000000.snapshot.lz4`,
        `${path}/lock.json`,
      ];
      for (const each of foreign) await setup.raw?.put(each, pattern(9, 2));
      assert.deepEqual(names(await list(replica, 0)), names([ref(0, 1)]));
      assert.deepEqual(names(await list(replica, 'all')), names([ref(0, 1)]));
    },
  },
  {
    id: 'list/keys-lie-where-the-layout-says',
    promise: 'Files are stored under the keys of the layout, the same as in Litestream.',
    needs: ['raw'],
    async run({ subject, path, replica, setup }) {
      const files = [ref(0, 1), ref(9, 1, 0xabc)];
      for (const file of files) await write(replica, file, pattern(9, 1));
      const expected = files.map((file) => keyOf(subject.layout, path, file));
      const keys = (await setup.raw?.keys(path)) ?? [];
      assert.deepEqual(keys.filter((key) => key.endsWith('.ltx')).toSorted(), expected.toSorted());
    },
  },
  {
    id: 'list/what-changes-meanwhile',
    promise: 'A listing during writes and deletes has every unchanged file exactly once, in order.',
    async run({ replica }) {
      const unchanged = Array.from({ length: 60 }, (_, index) => ref(0, index * 10 + 5));
      const others = unchanged.map((file) => ref(0, file.minTXID + 1n));
      for (const file of unchanged) await write(replica, file, pattern(9, 1));
      for (const file of others.slice(0, 30)) await write(replica, file, pattern(9, 1));
      const listed: string[] = [];
      for await (const file of replica.listFiles(0)) {
        listed.push(...names([file]));
        if (listed.length > 30) continue;
        await replica.deleteFiles([others[listed.length - 1]!]);
        await write(replica, others[59 - listed.length]!, pattern(9, 1));
      }
      assert.equal(new Set(listed).size, listed.length);
      const expected = names(unchanged);
      assert.deepEqual(
        listed.filter((name) => expected.includes(name)),
        expected,
      );
    },
  },
  {
    id: 'list/leaving-early-frees-it',
    promise: 'A listing that is stopped early releases its resources.',
    async run({ replica, setup }) {
      for (const txid of [1, 2, 3]) await write(replica, ref(0, txid), pattern(9, 1));
      const before = await setup.handles?.();
      for (let round = 0; round < 100; round += 1) {
        for await (const file of replica.listFiles(0)) {
          assert.equal(file.minTXID, 1n);
          break;
        }
      }
      assert.equal((await list(replica, 0)).length, 3);
      if (before !== undefined) assertAtMost((await setup.handles?.())!, before + 1, 'handles');
    },
  },
];
