/** Folders and markers that a client creates for a replica in addition to its files. */

import assert from 'node:assert/strict';

import { isError } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';

import type { Case } from '../case.ts';
import { assertBytes, list, names, pattern, read, ref, rejectsWith, write } from '../helpers.ts';

const FILES = [ref(0, 1), ref(1, 1, 4)];
const BYTES = pattern(1_000, 1);

export const folderCases: readonly Case[] = [
  {
    id: 'folders/nothing-is-left',
    promise:
      'Deleting the last file removes the folders that the client created, and it can write again.',
    needs: ['folders'],
    async run({ client, connect, path, replica, setup }) {
      await writeAll(replica);
      await replica.deleteFiles(FILES);
      const reader = await connect('read');
      const unused = new Replica(reader, setup.newPath());
      assert.equal(await resultOfList(new Replica(reader, path)), await resultOfList(unused));
      assert.deepEqual((await setup.raw?.keys(`${path}/`)) ?? [], []);
      await replica.deleteFiles(FILES);
      const rewritten = new Replica(client, path);
      await writeAll(rewritten);
      assert.deepEqual(names(await list(rewritten, 'all')).toSorted(), names(FILES).toSorted());
    },
  },
  {
    id: 'folders/what-holds-anything-stays',
    promise:
      'While a replica has a file or a named object, its folders remain, and other clients can still use it.',
    needs: ['folders'],
    async run({ client, connect, path, replica, setup }) {
      await writeAll(replica);
      const other = new Replica(await connect(), path);
      assert.equal((await list(other, 'all')).length, 2);
      await replica.deleteFiles(FILES.slice(0, 1));
      assert.deepEqual(names(await list(other, 'all')), names(FILES.slice(1)));
      assertBytes(await read(replica, ref(1, 1, 4)), BYTES);
      const named = new Replica(client, setup.newPath());
      await named.objects.put('probe', BYTES);
      await writeAll(named);
      await named.deleteFiles(FILES);
      const found = await named.objects.get('probe');
      assertBytes(Buffer.concat(await Array.fromAsync(found.body)), BYTES);
    },
  },
  {
    id: 'folders/not-what-others-made',
    promise:
      'A client removes only the folders that it created, so the client that created them can continue.',
    needs: ['folders'],
    async run({ connect, path, replica }) {
      await writeAll(replica);
      const other = new Replica(await connect(), path);
      assert.equal((await list(other, 'all')).length, 2);
      await other.deleteFiles(FILES);
      await write(replica, ref(0, 2), BYTES);
      assert.deepEqual(names(await list(replica, 'all')), names([ref(0, 2)]));
    },
  },
  {
    id: 'folders/not-by-readers',
    promise: 'A client opened for reading deletes nothing.',
    needs: ['folders'],
    async run({ connect, path, replica }) {
      await writeAll(replica);
      const reader = new Replica(await connect('read'), path);
      assert.equal((await list(reader, 'all')).length, 2);
      await rejectsWith(reader.deleteFiles(FILES), 'REPLICA_PERMISSION_DENIED');
      assertBytes(await read(replica, ref(0, 1)), BYTES);
    },
  },
];

async function writeAll(replica: Replica): Promise<void> {
  for (const file of FILES) await write(replica, file, BYTES);
}

/** For an unused replica, some backends return an error code and others an empty listing. */
async function resultOfList(replica: Replica): Promise<string> {
  try {
    return `${(await list(replica, 'all')).length} files`;
  } catch (error) {
    if (isError(error)) return error.code;
    throw error;
  }
}
