import assert from 'node:assert/strict';

import type { LTXFileRef } from '@sluice/core/backend/testing';
import type { ObjectInfo } from '@sluice/core/backend';

import type { Case } from '../case.ts';
import type { CaseContext } from '../context.ts';
import {
  assertBytes,
  readIfPresent,
  list,
  pattern,
  read,
  ref,
  rejectsWith,
  write,
} from '../helpers.ts';

const FROM = ref(0, 1, 4);
const TO = ref(9, 1, 4);

export const copyCases: readonly Case[] = [
  {
    id: 'copy/gives-the-same-file',
    promise: 'A copy has the bytes and createdAt of its source, and the source remains.',
    needs: ['copy'],
    async run(context) {
      const { replica } = context;
      const bytes = pattern(70_001, 1);
      await write(replica, FROM, bytes);
      const info = await copy(context, FROM, TO);
      assert.equal(info.key, replica.keyOf(TO));
      assert.equal(info.sizeBytes, bytes.byteLength);
      assertBytes(await read(replica, TO), bytes);
      assertBytes(await read(replica, FROM), bytes);
      const [source] = await list(replica, 0);
      const [target] = await list(replica, 9);
      assert.deepEqual(target?.createdAt, source?.createdAt);
    },
  },
  {
    id: 'copy/replaces-an-equal-name',
    promise: 'A copy replaces an existing file completely.',
    needs: ['copy'],
    async run(context) {
      const { replica } = context;
      await write(replica, TO, pattern(90_000, 1));
      const bytes = pattern(1_000, 2);
      await write(replica, FROM, bytes);
      await copy(context, FROM, TO);
      assertBytes(await read(replica, TO), bytes);
    },
  },
  {
    id: 'copy/of-nothing',
    promise: 'Copying a missing file fails with REPLICA_NOT_FOUND and keeps the target.',
    needs: ['copy'],
    async run(context) {
      const { replica } = context;
      const bytes = pattern(1_000, 1);
      await write(replica, TO, bytes);
      await rejectsWith(copy(context, FROM, TO), 'REPLICA_NOT_FOUND');
      assertBytes(await readIfPresent(replica, TO), bytes);
    },
  },
];

async function copy(
  { client, notTested, path, replica }: CaseContext,
  from: LTXFileRef,
  to: LTXFileRef,
): Promise<ObjectInfo> {
  if (client.copy === undefined) return notTested('copy is not claimed');
  return await client.copy(replica.keyOf(from), replica.keyOf(to), { root: path });
}
