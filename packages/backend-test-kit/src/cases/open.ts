import assert from 'node:assert/strict';

import { isError, type ByteRange } from '@sluice/core/backend';

import type { Case } from '../case.ts';
import type { Random } from '../random.ts';
import {
  assertAtLeast,
  assertAtMost,
  assertBytes,
  pattern,
  read,
  ref,
  rejectsWith,
  write,
} from '../helpers.ts';

const SIZE_BYTES = 200_003;
const WHOLE_BYTES = 150_001;

export const openCases: readonly Case[] = [
  {
    id: 'open/whole',
    promise: 'A file is read as it was written, in chunks that the reader may keep.',
    async run({ replica }) {
      const bytes = pattern(WHOLE_BYTES, 1);
      await write(replica, ref(0, 1), bytes);
      const opened = await replica.openFile(ref(0, 1));
      assert.equal(opened.sizeBytes, WHOLE_BYTES);
      const chunks = await Array.fromAsync(opened.body);
      assertBytes(Buffer.concat(chunks), bytes);
      assert.equal(new Set(chunks).size, chunks.length, 'buffers are not reused');
    },
  },
  {
    id: 'open/empty',
    promise: 'An empty file can be written and read.',
    async run({ replica }) {
      await write(replica, ref(0, 1), pattern(0, 1));
      const opened = await replica.openFile(ref(0, 1));
      assert.equal(opened.sizeBytes, 0);
      assert.equal(Buffer.concat(await Array.fromAsync(opened.body)).byteLength, 0);
    },
  },
  {
    id: 'open/ranges',
    promise: 'A range read returns exactly its bytes, and the size of the whole object.',
    needs: ['ranges'],
    async run({ random, replica }) {
      const bytes = pattern(SIZE_BYTES, 1);
      await write(replica, ref(0, 1), bytes);
      const end = SIZE_BYTES;
      const edges: ByteRange[] = [
        { start: 0, end: 1 },
        { start: 0, end },
        { start: 0 },
        { start: end - 1, end },
        { start: end - 1 },
        { start: 1, end: end - 1 },
        { start: 65_535, end: 65_537 },
        { start: 5, end: end + 100 },
      ];
      for (const range of [...edges, ...randomRanges(20, random)]) {
        const opened = await replica.openFile(ref(0, 1), { range });
        assert.equal(opened.sizeBytes, SIZE_BYTES, 'size of the whole object');
        const bytesRead = Buffer.concat(await Array.fromAsync(opened.body));
        assertBytes(bytesRead, bytes.subarray(range.start, range.end));
      }
    },
  },
  {
    id: 'open/range-beyond-the-end',
    promise: 'A range that starts beyond the end fails with REPLICA_RANGE.',
    needs: ['ranges'],
    async run({ replica, layer }) {
      await write(replica, ref(0, 1), pattern(100, 1));
      await rejectsWith(read(replica, ref(0, 1), { start: 101 }), 'REPLICA_RANGE');
      await rejectsWith(read(replica, ref(0, 1), { start: 101, end: 102 }), 'REPLICA_RANGE');
      if (layer === 'bare') return; // servers differ for a range at the end; core unifies them
      assertBytes(await read(replica, ref(0, 1), { start: 100 }), new Uint8Array());
      assertBytes(await read(replica, ref(0, 1), { start: 100, end: 200 }), new Uint8Array());
      assertBytes(await read(replica, ref(0, 1), { start: 50, end: 50 }), new Uint8Array());
      await rejectsWith(read(replica, ref(0, 1), { start: 101, end: 101 }), 'REPLICA_RANGE');
    },
  },
  {
    id: 'open/range-of-an-empty-file',
    promise: 'A range beyond the end of an empty file fails with REPLICA_RANGE.',
    needs: ['ranges'],
    async run({ replica, layer }) {
      await write(replica, ref(0, 1), pattern(0, 1));
      await rejectsWith(read(replica, ref(0, 1), { start: 1 }), 'REPLICA_RANGE');
      if (layer === 'wrapped')
        assertBytes(await read(replica, ref(0, 1), { start: 0, end: 1 }), new Uint8Array());
    },
  },
  {
    id: 'open/missing',
    promise: 'Opening a missing file fails with REPLICA_NOT_FOUND before the first byte.',
    async run({ replica }) {
      await rejectsWith(replica.openFile(ref(0, 1)), 'REPLICA_NOT_FOUND');
      await write(replica, ref(0, 1), pattern(9, 1));
      await rejectsWith(replica.openFile(ref(0, 2)), 'REPLICA_NOT_FOUND');
      await rejectsWith(replica.openFile(ref(1, 1)), 'REPLICA_NOT_FOUND');
      await rejectsWith(replica.openFile(ref(0, 1, 2)), 'REPLICA_NOT_FOUND');
    },
  },
  {
    id: 'open/version',
    promise: 'Opening a replaced version fails with REPLICA_CHANGED.',
    async run({ notTested, replica }) {
      const bytes = pattern(SIZE_BYTES, 1);
      await write(replica, ref(0, 1), bytes);
      const { version, body } = await replica.openFile(ref(0, 1));
      assertBytes(Buffer.concat(await Array.fromAsync(body)), bytes);
      if (version === undefined)
        return notTested('no version is returned, so reads are not resumed');
      const same = await replica.openFile(ref(0, 1), { version });
      assert.equal(same.version, version);
      assertBytes(Buffer.concat(await Array.fromAsync(same.body)), bytes);
      await write(replica, ref(0, 1), pattern(SIZE_BYTES, 2));
      await rejectsWith(replica.openFile(ref(0, 1), { version }), 'REPLICA_CHANGED');
      await replica.deleteFiles([ref(0, 1)]);
      const gone = replica.openFile(ref(0, 1), { version });
      await rejectsWith(gone, 'REPLICA_NOT_FOUND', 'REPLICA_CHANGED');
    },
  },
  {
    id: 'open/a-reader-keeps-its-file-through-a-rewrite',
    promise:
      'During a rewrite, a reader gets one complete file or REPLICA_CHANGED, never a mix of both.',
    async run({ replica }) {
      const old = pattern(SIZE_BYTES, 1);
      await write(replica, ref(0, 1), old);
      const { body } = await replica.openFile(ref(0, 1));
      const chunks: Uint8Array[] = [];
      const reading = async (): Promise<void> => {
        for await (const chunk of body) {
          if (chunks.length === 0) await write(replica, ref(0, 1), pattern(SIZE_BYTES, 2));
          chunks.push(chunk);
        }
        assertBytes(Buffer.concat(chunks), old);
      };
      await reading().catch((error: unknown) => {
        if (!isError(error, 'REPLICA_CHANGED')) throw error;
      });
      assertBytes(await read(replica, ref(0, 1)), pattern(SIZE_BYTES, 2));
    },
  },
  {
    id: 'open/leaving-early-frees-it',
    promise: 'A read that is stopped early releases its resources.',
    sizeBytes: 3_000_000,
    async run({ replica, setup }) {
      const bytes = pattern(3_000_000, 1);
      await write(replica, ref(0, 1), bytes);
      const before = await setup.handles?.();
      for (let round = 0; round < 100; round += 1) {
        const { body } = await replica.openFile(ref(0, 1));
        for await (const chunk of body) {
          assertAtLeast(chunk.byteLength, 1, 'bytes of a chunk');
          break;
        }
      }
      if (before !== undefined) assertAtMost((await setup.handles?.())!, before + 1, 'handles');
      assertBytes(await read(replica, ref(0, 1)), bytes);
    },
  },
  {
    id: 'open/many-at-once',
    promise: 'Forty files can be open at once before any of them is read.',
    async run({ replica }) {
      const bytes = pattern(SIZE_BYTES, 1);
      await write(replica, ref(0, 1), bytes);
      // An open stream must not occupy one of the request slots.
      const opened = await Promise.all(
        Array.from({ length: 40 }, () => replica.openFile(ref(0, 1))),
      );
      for (const { body } of opened) {
        assertBytes(Buffer.concat(await Array.fromAsync(body)), bytes);
      }
    },
  },
];

function randomRanges(count: number, random: Random): ByteRange[] {
  return Array.from({ length: count }, () => {
    const start = Math.floor(random() * SIZE_BYTES);
    return { start, end: start + 1 + Math.floor(random() * (SIZE_BYTES - start)) };
  });
}
