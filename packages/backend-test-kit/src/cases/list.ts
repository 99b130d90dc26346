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
} from '../words.ts';

const TXID_MAX = toTXID(0xffff_ffff_ffff_ffffn);
/** Clocks of two machines differ by less than this in any place worth a backup. */
const CLOCK_MS_MAX = 5 * 60_000;

export const listCases: readonly Case[] = [
  {
    id: 'list/never-written-is-empty',
    says: 'A level that was never written is empty, and so is a replica.',
    async run({ replica }) {
      assert.deepEqual(await list(replica, 3), []);
      assert.deepEqual(await list(replica, 'all'), []);
    },
  },
  {
    id: 'list/in-order',
    says: 'Files of a level come by (minTXID, maxTXID), in whatever order they were written.',
    async run({ replica }) {
      const ordered = [ref(1, 1), ref(1, 2, 3), ref(1, 2, 17), ref(1, 9), ref(1, 16), ref(1, 256n)];
      for (const index of [4, 1, 5, 0, 3, 2]) await write(replica, ordered[index]!, pattern(9, 1));
      assert.deepEqual(names(await list(replica, 1)), names(ordered));
    },
  },
  {
    id: 'list/from-a-txid',
    says: 'A listing from a TXID begins at the first file whose minTXID is not below it.',
    async run({ replica }) {
      for (const txid of [1, 15, 16, 17, 300]) await write(replica, ref(0, txid), pattern(9, 1));
      const after = async (txid: number): Promise<string[]> =>
        names(await list(replica, 0, { from: toTXID(txid) }));
      assert.deepEqual(await after(16), ['0/16-16', '0/17-17', '0/300-300']);
      assert.deepEqual(await after(18), ['0/300-300']);
      assert.deepEqual(await after(301), []);
    },
  },
  {
    id: 'list/all-levels',
    says: 'A listing of all has levels 0 to 9, each in order, the same files as level by level.',
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
    says: 'Every TXID can be named and listed, up to the last of 64 bits.',
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
    says: "A listing tells the size, the time of the upload, and the file's own time to the millisecond or not at all.",
    async run({ replica }) {
      const before = Date.now();
      await write(replica, ref(0, 7), pattern(1234, 1));
      const [info, ...others] = await list(replica, 0);
      assert(info !== undefined, 'the file is listed');
      assert.deepEqual(names(others), [], 'files besides');
      assert.equal(info.sizeBytes, 1234);
      // The upload's time, not the file's own.
      const modifiedAt = info.modifiedAt.getTime();
      assertAtLeast(modifiedAt, before - CLOCK_MS_MAX, 'modifiedAt, in ms');
      assertAtMost(modifiedAt, Date.now() + CLOCK_MS_MAX, 'modifiedAt, in ms');
      if (info.createdAt !== undefined) assert.deepEqual(info.createdAt, CREATED_AT);
    },
  },
  {
    id: 'list/neighbours-are-not-ours',
    says: 'Replicas beside and below a replica are not taken for it.',
    async run({ client, path, replica }) {
      const neighbours = [`${path}-b`, `${path}/below`, `${path}/0000`, `${path}/ltx`].map(
        (other) => new Replica(client, other),
      );
      await write(replica, ref(0, 1), pattern(9, 1));
      for (const other of neighbours) await write(other, ref(0, 2), pattern(9, 1));
      assert.deepEqual(names(await list(replica, 'all')), ['0/1-1']);
      assert.deepEqual(names(await list(replica, 0)), ['0/1-1']);
      for (const other of neighbours) assert.deepEqual(names(await list(other, 'all')), ['0/2-2']);
    },
  },
  {
    id: 'list/foreign-objects-are-left-out',
    says: 'What is no LTX file of ours is left out of listings.',
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
      assert.deepEqual(names(await list(replica, 0)), ['0/1-1']);
      assert.deepEqual(names(await list(replica, 'all')), ['0/1-1']);
    },
  },
  {
    id: 'list/keys-lie-where-the-layout-says',
    says: 'Files lie under the keys of the layout, where Litestream looks for them.',
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
    says: 'While others come and go, a listing has every file that stays, once, in order.',
    async run({ replica }) {
      const kept = Array.from({ length: 60 }, (_, index) => ref(0, index * 10 + 5));
      const others = kept.map((file) => ref(0, file.minTXID + 1n));
      for (const file of kept) await write(replica, file, pattern(9, 1));
      for (const file of others.slice(0, 30)) await write(replica, file, pattern(9, 1));
      const seen: string[] = [];
      for await (const file of replica.listFiles(0)) {
        seen.push(...names([file]));
        if (seen.length > 30) continue;
        await replica.deleteFiles([others[seen.length - 1]!]);
        await write(replica, others[59 - seen.length]!, pattern(9, 1));
      }
      assert.equal(new Set(seen).size, seen.length);
      const expected = names(kept);
      assert.deepEqual(
        seen.filter((name) => expected.includes(name)),
        expected,
      );
    },
  },
  {
    id: 'list/leaving-early-frees-it',
    says: 'Leaving a listing early frees what it holds.',
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
