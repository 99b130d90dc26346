/** What a backend has made for a replica, beside its files: folders, a marker. */

import assert from 'node:assert/strict';

import { isError, type Destination, type ReplicaClient } from '@sluice/core/backend';

import type { Case } from '../case.ts';
import type { CaseContext } from '../context.ts';
import { assertBytes, list, names, pattern, read, ref, write } from '../words.ts';

const FILES = [ref(0, 1), ref(1, 1, 4)];
const BYTES = pattern(1_000, 1);

export const removeEmptyCases: readonly Case[] = [
  {
    id: 'remove-empty/nothing-is-left',
    says: 'Of a replica without files nothing is left, again is no failure, and it can begin anew.',
    needs: ['removeEmpty'],
    async run(context) {
      const { connect, destination, path, replica, setup } = context;
      const removeEmpty = claimed(context);
      await written(replica);
      await replica.deleteFiles(FILES);
      await removeEmpty(destination);
      const reader = await connect('read');
      const never = setup.newPath();
      assert.equal(await seenAt(reader.replica(path)), await seenAt(reader.replica(never)));
      assert.deepEqual((await setup.raw?.keys(`${path}/`)) ?? [], []);
      await removeEmpty(destination);
      await removeEmpty(destination, never);
      const anew = destination.replica(path);
      await written(anew);
      assert.deepEqual(names(await list(anew, 'all')).toSorted(), names(FILES).toSorted());
    },
  },
  {
    id: 'remove-empty/what-holds-anything-stays',
    says: 'A replica with a file, or a named object, keeps it, and stays what others know it as.',
    needs: ['removeEmpty'],
    async run(context) {
      const { connect, destination, replica, setup, subject } = context;
      const removeEmpty = claimed(context);
      await written(replica);
      await replica.deleteFiles(FILES.slice(0, 1));
      const other = (await connect()).replica(context.path);
      assert.equal((await list(other, 'all')).length, 1);
      await removeEmpty(destination);
      assert.deepEqual(names(await list(other, 'all')), names(FILES.slice(1)));
      assertBytes(await read(destination.replica(context.path), ref(1, 1, 4)), BYTES);
      if (subject.objects === 'not-claimed') return;
      const path = setup.newPath();
      await destination.objects?.(path).put('probe', BYTES);
      await removeEmpty(destination, path);
      const found = await destination.objects?.(path).get('probe');
      assert.equal(found?.sizeBytes, BYTES.byteLength);
      await found?.body[Symbol.asyncIterator]().return?.();
    },
  },
  {
    id: 'remove-empty/not-what-others-began',
    says: 'Whoever has not seen a replica does not take its root from those who have just begun it.',
    needs: ['removeEmpty'],
    async run(context) {
      const { connect, replica } = context;
      const removeEmpty = claimed(context);
      await written(replica);
      await replica.deleteFiles(FILES);
      await removeEmpty(await connect());
      await write(replica, ref(0, 2), BYTES);
      assert.deepEqual(names(await list(replica, 'all')), ['0/2-2']);
    },
  },
  {
    id: 'remove-empty/not-by-readers',
    says: 'A connection that only reads cannot, even when it has seen the replica.',
    needs: ['removeEmpty'],
    async run(context) {
      const { connect, path, replica } = context;
      claimed(context);
      await written(replica);
      await replica.deleteFiles(FILES);
      const reader = await connect('read');
      await list(reader.replica(path), 'all');
      await assert.rejects(async () => {
        if (reader.removeEmpty === undefined) throw new Error('it is not there');
        await reader.removeEmpty(path);
      });
      await write(replica, ref(0, 2), BYTES);
    },
  },
];

type RemoveEmpty = (destination: Destination, path?: string) => Promise<void>;

/** Ends the case where a destination has nothing to remove. */
function claimed({ destination, notJudged, path }: CaseContext): RemoveEmpty {
  if (destination.removeEmpty === undefined) return notJudged('removeEmpty is not claimed');
  return async (of, at = path) => await of.removeEmpty?.(at);
}

async function written(replica: ReplicaClient): Promise<void> {
  for (const file of FILES) await write(replica, file, BYTES);
}

/** What a reader finds: some have a code for a replica that was never written to, some an empty one. */
async function seenAt(replica: ReplicaClient): Promise<string> {
  try {
    return `${(await list(replica, 'all')).length} files`;
  } catch (error) {
    if (isError(error)) return error.code;
    throw error;
  }
}
