/** What a client of folders makes for a replica beside its files: folders, a marker. */

import assert from 'node:assert/strict';

import { isError } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';

import type { Case } from '../case.ts';
import { assertBytes, list, names, pattern, read, ref, rejectsWith, write } from '../words.ts';

const FILES = [ref(0, 1), ref(1, 1, 4)];
const BYTES = pattern(1_000, 1);

export const folderCases: readonly Case[] = [
  {
    id: 'folders/nothing-is-left',
    says: 'When the last file is deleted, the folders that the client made are gone, and it can begin anew.',
    needs: ['folders'],
    async run({ client, connect, path, replica, setup }) {
      await writeAll(replica);
      await replica.deleteFiles(FILES);
      const reader = await connect('read');
      const never = new Replica(reader, setup.newPath());
      assert.equal(await foundAt(new Replica(reader, path)), await foundAt(never));
      assert.deepEqual((await setup.raw?.keys(`${path}/`)) ?? [], []);
      await replica.deleteFiles(FILES);
      const anew = new Replica(client, path);
      await writeAll(anew);
      assert.deepEqual(names(await list(anew, 'all')).toSorted(), names(FILES).toSorted());
    },
  },
  {
    id: 'folders/what-holds-anything-stays',
    says: 'A replica with a file, or a named object, keeps it, and stays what others know it as.',
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
    says: 'A client that made no folder removes none: who made it can go on.',
    needs: ['folders'],
    async run({ connect, path, replica }) {
      await writeAll(replica);
      const other = new Replica(await connect(), path);
      assert.equal((await list(other, 'all')).length, 2);
      await other.deleteFiles(FILES);
      await write(replica, ref(0, 2), BYTES);
      assert.deepEqual(names(await list(replica, 'all')), ['0/2-2']);
    },
  },
  {
    id: 'folders/not-by-readers',
    says: 'A client that was opened for reading deletes nothing.',
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

/** What a reader finds: some have a code for a replica that was never written to, some an empty one. */
async function foundAt(replica: Replica): Promise<string> {
  try {
    return `${(await list(replica, 'all')).length} files`;
  } catch (error) {
    if (isError(error)) return error.code;
    throw error;
  }
}
