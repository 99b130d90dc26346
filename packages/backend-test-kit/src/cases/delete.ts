import assert from 'node:assert/strict';

import { toTXID } from '@sluice/core/backend/testing';

import type { Case } from '../case.ts';
import { inParallel, list, names, pattern, ref, write } from '../helpers.ts';

export const deleteCases: readonly Case[] = [
  {
    id: 'delete/those-and-no-others',
    promise: 'Only the given files are deleted.',
    async run({ replica }) {
      const files = [ref(0, 1), ref(0, 2), ref(1, 1), ref(1, 1, 2), ref(9, 1)];
      for (const file of files) await write(replica, file, pattern(9, 1));
      await replica.deleteFiles([ref(1, 1), ref(0, 2)]);
      assert.deepEqual(
        names(await list(replica, 'all')).toSorted(),
        names([ref(0, 1), ref(1, 1, 2), ref(9, 1)]),
      );
    },
  },
  {
    id: 'delete/missing-is-no-failure',
    promise: 'Deleting a missing file succeeds, and the other files are deleted.',
    async run({ replica }) {
      await replica.deleteFiles([]);
      await replica.deleteFiles([ref(0, 1)]);
      await write(replica, ref(0, 2), pattern(9, 1));
      await replica.deleteFiles([ref(0, 1), ref(0, 2), ref(0, 3)]);
      assert.deepEqual(await list(replica, 0), []);
      await replica.deleteFiles([ref(0, 2)]);
      assert.deepEqual(await list(replica, 0), []);
    },
  },
  {
    id: 'delete/more-than-a-page-or-a-request',
    promise: '2,500 files can be listed and deleted, for any page size and request limit.',
    sizeBytes: 7,
    async run({ replica }) {
      const files = Array.from({ length: 2_500 }, (_, index) => ref(0, index + 1));
      await inParallel(files, (file) => write(replica, file, pattern(7, 1)));
      assert.deepEqual(names(await list(replica, 0)), names(files));
      assert.deepEqual(names(await list(replica, 'all')), names(files));
      const late = await list(replica, 0, { from: toTXID(1_700) });
      assert.deepEqual(names(late), names(files.slice(1_699)));
      await replica.deleteFiles(files);
      assert.deepEqual(await list(replica, 0), []);
      await replica.deleteFiles(files);
    },
  },
];
