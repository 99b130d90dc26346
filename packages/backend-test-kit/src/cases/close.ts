import assert from 'node:assert/strict';

import { CLOSE_MS_MAX } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';

import type { Case } from '../case.ts';
import {
  assertAtMost,
  assertBytes,
  bodyOf,
  bodyWithAction,
  eventually,
  readIfPresent,
  pattern,
  read,
  ref,
  rejectsWith,
  write,
} from '../helpers.ts';

const FILE = ref(0, 1);

export const closeCases: readonly Case[] = [
  {
    id: 'close/twice',
    promise: 'close() may be called twice.',
    async run({ connect }) {
      const client = await connect();
      await Promise.all([client.close(), client.close()]);
      await client.close();
      assert.equal(typeof client.name, 'string');
    },
  },
  {
    id: 'close/then-no-call-is-made',
    promise: 'After close(), every call fails with REPLICA_CLOSED.',
    async run({ close, connect, path, replica }) {
      await write(replica, FILE, pattern(9, 1));
      const client = await connect();
      const closed = new Replica(client, path);
      assertBytes(await read(closed, FILE), pattern(9, 1));
      await close(client);
      const code = 'REPLICA_CLOSED';
      await rejectsWith(Array.fromAsync(closed.listFiles(0)), code);
      await rejectsWith(closed.openFile(FILE), code);
      await rejectsWith(closed.writeFile(ref(0, 2), bodyOf(pattern(9, 1))), code);
      await rejectsWith(closed.deleteFiles([FILE]), code);
      await rejectsWith(new Replica(client, path).openFile(FILE), code);
      assertBytes(await read(replica, FILE), pattern(9, 1));
    },
  },
  {
    id: 'close/ends-the-calls-in-flight',
    promise: 'close() ends pending calls with REPLICA_CLOSED within its time limit.',
    sizeBytes: 3_000_000,
    async run({ close, connect, path, replica }) {
      const bytes = pattern(3_000_000, 1);
      await write(replica, FILE, bytes);
      const client = await connect();
      const closing = new Replica(client, path);
      const started = Promise.withResolvers<void>();
      const hang = async (): Promise<void> => {
        started.resolve();
        await new Promise(() => undefined);
      };
      const writing = rejectsWith(
        closing.writeFile(FILE, bodyWithAction(pattern(300_000, 2), 2, hang)),
        'REPLICA_CLOSED',
      );
      const { body } = await closing.openFile(FILE);
      const reading = body[Symbol.asyncIterator]();
      await reading.next();
      await started.promise;
      const since = performance.now();
      await close(client);
      await writing;
      await rejectsWith(readOn(reading), 'REPLICA_CLOSED');
      assertAtMost(performance.now() - since, CLOSE_MS_MAX + 500, 'ms until all calls ended');
      assertBytes(await readIfPresent(replica, FILE), bytes);
    },
  },
  {
    id: 'close/frees-every-socket',
    promise: 'close() closes all sockets and files that were opened since connect().',
    needs: ['handles'],
    sizeBytes: 2_000_000,
    async run({ close, connect, path, replica, note, setup }) {
      await write(replica, FILE, pattern(2_000_000, 1));
      const handles = async (): Promise<number> => (await setup.handles?.()) ?? 0;
      const before = await handles();
      const client = await connect();
      const other = new Replica(client, path);
      // Leaves some connections idle and some in use.
      const small = Array.from({ length: 6 }, (_, index) => ref(0, index + 2));
      await Promise.all(small.map((file) => write(other, file, pattern(100, 1))));
      const { body } = await other.openFile(FILE);
      await body[Symbol.asyncIterator]().next();
      const during = await handles();
      await close(client);
      await eventually(CLOSE_MS_MAX, async () => {
        assertAtMost(await handles(), before, 'handles after close()');
      });
      note(`${before} handles before, ${during} in use`);
    },
  },
];

async function readOn(iterator: AsyncIterator<Uint8Array>): Promise<void> {
  while ((await iterator.next()).done !== true);
}
