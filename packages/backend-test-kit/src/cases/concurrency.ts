import assert from 'node:assert/strict';

import { isError } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';

import type { Case } from '../case.ts';
import { keysOf, LEFTOVER_MS_MAX } from '../leftovers.ts';
import {
  assertAtMost,
  assertBytes,
  bodyWithAction,
  eventually,
  readIfPresent,
  inParallel,
  list,
  names,
  pattern,
  read,
  ref,
  write,
} from '../helpers.ts';

const FILE = ref(0, 1);
const REPLICAS = 1_000;
/** Replicas that are also written to. Few enough for slow servers. */
const WRITTEN = 50;
/** Maximum number of sockets of a client, for any number of replicas. */
const SOCKETS_MAX = 16;
/** Twice the sockets, because the server may run in this process, and a few unrelated handles. */
const HANDLES_MAX = 2 * SOCKETS_MAX + 4;

export const concurrencyCases: readonly Case[] = [
  {
    id: 'concurrency/a-thousand-replicas',
    promise:
      'A thousand replicas share one client with at most 16 sockets, and a replica opens nothing itself.',
    async run({ client, path, note, setup }) {
      const before = await setup.handles?.();
      const replicas = Array.from(
        { length: REPLICAS },
        (_, index) => new Replica(client, `${path}/many-${index}`),
      );
      const opened = await setup.handles?.();
      if (opened !== undefined) {
        assertAtMost(opened, before! + 1, `handles after creating ${REPLICAS} replicas`);
      }
      let most = 0;
      const written = replicas.slice(0, WRITTEN).map((replica, index) => [index, replica] as const);
      await inParallel(written, async ([index, replica]) => {
        await write(replica, ref(0, index + 1), pattern(100, index));
        const open = (await setup.handles?.()) ?? 0;
        most = Math.max(most, open - (before ?? open));
      });
      await inParallel(replicas, async (replica) => {
        for await (const { minTXID } of replica.listFiles(0)) {
          assertAtMost(Number(minTXID), WRITTEN, 'listed TXID');
        }
      });
      for (const [index, replica] of written) {
        assert.deepEqual(names(await list(replica, 0)), names([ref(0, index + 1)]));
      }
      assertAtMost(most, HANDLES_MAX, 'handles open at once');
      if (before !== undefined) note(`at most ${most} handles`);
    },
  },
  {
    id: 'concurrency/of-equal-names-one-is-whole',
    promise:
      'After concurrent writes of one name, the file is one of them, complete; readers see only complete files.',
    async run({ connect, path, replica }) {
      const other = new Replica(await connect(), path);
      const bodies = Array.from({ length: 12 }, (_, index) => pattern(60_000, index));
      const isOneOf = (found: Uint8Array | 'none'): boolean =>
        found !== 'none' && bodies.some((bytes) => Buffer.compare(bytes, found) === 0);
      await write(replica, FILE, bodies[0]!);
      const [reads] = await Promise.all([
        Promise.allSettled(Array.from({ length: 6 }, () => readIfPresent(other, FILE))),
        writeConcurrently([replica, other], bodies),
      ]);
      for (const each of reads) {
        if (each.status === 'fulfilled')
          assert(isOneOf(each.value), 'a reader got a complete file');
        else if (!isError(each.reason, 'REPLICA_CHANGED')) throw each.reason;
      }
      assert(isOneOf(await readIfPresent(replica, FILE)), 'the remaining file is complete');
      assert.equal((await list(replica, 0)).length, 1);
    },
  },
  {
    id: 'concurrency/readers-disturb-no-writer',
    promise: 'Listing and reading during a write neither disturb it nor leave files behind.',
    async run(context) {
      const { connect, path, replica } = context;
      const other = new Replica(await connect('read'), path);
      await write(replica, ref(0, 2), pattern(9, 1));
      const before = await keysOf(context);
      const bytes = pattern(300_000, 1);
      const body = bodyWithAction(bytes, 3, async () => {
        // The write may create temporary files at any time, so only check that none of the current keys is deleted.
        const during = await keysOf(context);
        for (let round = 0; round < 3; round += 1) {
          assert.deepEqual(names(await list(other, 'all')), names([ref(0, 2)]));
          assertBytes(await read(other, ref(0, 2)), pattern(9, 1));
        }
        const after = new Set(await keysOf(context));
        const gone = during.filter((key) => !after.has(key));
        assert.deepEqual(gone, [], 'keys deleted by reading during a write');
      });
      await replica.writeFile(FILE, body);
      assertBytes(await read(other, FILE), bytes);
      await eventually(LEFTOVER_MS_MAX, async () => {
        const after = await keysOf(context);
        const more = after.filter((key) => !before.includes(key));
        const most = context.setup.raw === undefined ? 0 : 1;
        assert.equal(more.length, most, `new keys: ${more.join(', ')}`);
      });
    },
  },
];

async function writeConcurrently(
  replicas: readonly Replica[],
  bodies: readonly Uint8Array[],
): Promise<void> {
  const writes = bodies.map((bytes, index) =>
    write(replicas[index % replicas.length]!, FILE, bytes),
  );
  await Promise.all(writes);
}
