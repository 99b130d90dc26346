import assert from 'node:assert/strict';

import { isError } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';

import type { Case } from '../case.ts';
import type { CaseContext } from '../context.ts';
import {
  assertAtMost,
  assertBytes,
  bodyOf,
  bodyWithAction,
  readIfPresent,
  list,
  names,
  pattern,
  read,
  ref,
  write,
} from '../helpers.ts';

const FILE = ref(1, 3, 7);
const SIZE_BYTES = 300_000; // five chunks

export const writeCases: readonly Case[] = [
  {
    id: 'write/any-size',
    promise: 'A body of any size is stored, including sizes around the part size.',
    sizeBytes: ({ partSizeBytes }) => 2 * partSizeBytes + 5,
    async run({ subject, replica }) {
      const part = subject.partSizeBytes;
      const sizes = [0, 1, 4_096, part - 1, part, part + 1, 2 * part + 5];
      for (const [index, sizeBytes] of sizes.entries()) {
        const bytes = pattern(sizeBytes, index + 1);
        const info = await write(replica, ref(0, index + 1), bytes);
        assert.equal(info.sizeBytes, sizeBytes);
        assertBytes(await read(replica, ref(0, index + 1)), bytes);
      }
      assert.deepEqual(
        (await list(replica, 0)).map((file) => file.sizeBytes),
        sizes,
      );
    },
  },
  {
    id: 'write/any-chunks',
    promise: 'A body in chunks of any size is stored.',
    async run({ replica }) {
      const bytes = pattern(10_007, 1);
      for (const [index, chunkBytes] of [1, 13, 4_096, 20_000].entries()) {
        await replica.writeFile(ref(0, index + 1), bodyOf(bytes, chunkBytes));
        assertBytes(await read(replica, ref(0, index + 1)), bytes);
      }
    },
  },
  {
    id: 'write/says-what-is-there',
    promise: 'A write returns the same name, size and time as a listing.',
    async run({ replica }) {
      const info = await write(replica, FILE, pattern(1_000, 1));
      const [listed] = await list(replica, 1);
      assert.deepEqual(names([info]), names([FILE]));
      assert.equal(info.sizeBytes, 1_000);
      const apartMs = Math.abs(info.modifiedAt.getTime() - listed!.modifiedAt.getTime());
      assertAtMost(apartMs, 5_000, 'ms between the two times');
    },
  },
  {
    id: 'write/replaces-an-equal-name',
    promise: 'A write replaces an existing file completely.',
    sizeBytes: ({ partSizeBytes }) => partSizeBytes + 1,
    async run({ subject, replica }) {
      const sizes = [5_000, 70_000, 10, subject.partSizeBytes + 1, 0, 9];
      for (const [index, sizeBytes] of sizes.entries()) {
        const bytes = pattern(sizeBytes, index);
        await write(replica, FILE, bytes);
        assertBytes(await read(replica, FILE), bytes);
        assert.deepEqual(
          (await list(replica, 1)).map((file) => file.sizeBytes),
          [sizeBytes],
        );
      }
    },
  },
  {
    id: 'write/seen-by-another-connection',
    promise: 'A written file is immediately visible to other clients.',
    async run({ connect, path, replica }) {
      const other = new Replica(await connect('read'), path);
      const bytes = pattern(SIZE_BYTES, 1);
      await write(replica, FILE, bytes);
      assertBytes(await read(other, FILE), bytes);
      assert.deepEqual(names(await list(other, 'all')), names([FILE]));
    },
  },
  {
    id: 'write/not-seen-before-it-is-whole',
    promise: 'A file is not visible before it is complete.',
    async run({ connect, path, replica }) {
      const other = new Replica(await connect('read'), path);
      await write(replica, ref(0, 1), pattern(9, 1));
      const bytes = pattern(SIZE_BYTES, 1);
      const body = bodyWithAction(bytes, 3, async () => {
        assertBytes(await readIfPresent(other, FILE), 'none');
        assert.deepEqual(names(await list(other, 1)), []);
      });
      await replica.writeFile(FILE, body);
      assertBytes(await read(other, FILE), bytes);
    },
  },
  {
    id: 'write/source-fails',
    promise: 'A write whose source fails keeps the old file.',
    sizeBytes: ({ partSizeBytes }) => Math.max(SIZE_BYTES, 2 * partSizeBytes),
    async run(context) {
      const failure = new Error('the source failed');
      const fail = (): void => {
        throw failure;
      };
      await assertKeepsOld(context, async ({ replica }, bytes) => {
        for (const index of [0, 2, 'end'] as const) {
          const error: unknown = await replica
            .writeFile(FILE, bodyWithAction(bytes, index, fail))
            .catch((reason: unknown) => reason);
          assert(error instanceof Error, `the write at chunk ${index} fails`);
          if (context.layer === 'wrapped') assert.equal(error, failure);
        }
      });
    },
  },
  {
    id: 'write/source-is-shorter-than-it-said',
    promise: 'A write whose source is shorter than its declared size fails and keeps the old file.',
    sizeBytes: ({ partSizeBytes }) => Math.max(SIZE_BYTES, 2 * partSizeBytes),
    async run(context) {
      await assertKeepsOld(context, async ({ replica }, bytes) => {
        const body = { ...bodyOf(bytes), sizeBytes: bytes.byteLength + 1 };
        await assert.rejects(replica.writeFile(FILE, body), isReplicationError);
      });
    },
  },
  {
    id: 'write/source-is-longer-than-it-said',
    promise: 'A write whose source is longer than its declared size fails and keeps the old file.',
    sizeBytes: ({ partSizeBytes }) => Math.max(SIZE_BYTES, 2 * partSizeBytes),
    async run(context) {
      await assertKeepsOld(context, async ({ replica }, bytes) => {
        const body = { ...bodyOf(bytes), sizeBytes: bytes.byteLength - 1 };
        await assert.rejects(replica.writeFile(FILE, body), isReplicationError);
      });
    },
  },
];

function isReplicationError(error: unknown): boolean {
  return isError(error);
}

/** Checks that a failing write changes neither a missing nor an existing file. */
async function assertKeepsOld(
  context: CaseContext,
  fail: (context: CaseContext, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const { subject, replica } = context;
  for (const sizeBytes of [SIZE_BYTES, 2 * subject.partSizeBytes]) {
    const bytes = pattern(sizeBytes, 2);
    await replica.deleteFiles([FILE]);
    await fail(context, bytes);
    assertBytes(await readIfPresent(replica, FILE), 'none');
    const old = pattern(1_234, 1);
    await write(replica, FILE, old);
    await fail(context, bytes);
    assertBytes(await readIfPresent(replica, FILE), old);
    assert.deepEqual(names(await list(replica, 'all')), names([FILE]));
  }
}
