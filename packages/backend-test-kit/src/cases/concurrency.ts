import assert from 'node:assert/strict';

import { isError } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';

import type { Case } from '../case.ts';
import { keysOf, LEFTOVER_MS_MAX } from '../leftovers.ts';
import {
  assertAtMost,
  assertBytes,
  bodyThat,
  eventually,
  held,
  inParallel,
  list,
  names,
  pattern,
  read,
  ref,
  write,
} from '../words.ts';

const FILE = ref(0, 1);
const REPLICAS = 1_000;
/** Replicas that are written to as well: enough to be many at once, few enough for slow servers. */
const WRITTEN = 50;
/** Sockets that a client may have, whatever the number of its replicas. */
const SOCKETS_MAX = 16;
/** A server in this very process holds the other ends; and some are not the client's at all. */
const HANDLES_MAX = 2 * SOCKETS_MAX + 4;

export const concurrencyCases: readonly Case[] = [
  {
    id: 'concurrency/a-thousand-replicas',
    says: 'A thousand replicas are one connection: 16 sockets at most, and a replica opens nothing.',
    async run({ client, path, saw, setup }) {
      const before = await setup.handles?.();
      const replicas = Array.from(
        { length: REPLICAS },
        (_, index) => new Replica(client, `${path}/many-${index}`),
      );
      const opened = await setup.handles?.();
      if (opened !== undefined) {
        assertAtMost(opened, before! + 1, `handles after ${REPLICAS} times new Replica()`);
      }
      let most = 0;
      const tried = replicas.slice(0, WRITTEN).map((replica, index) => [index, replica] as const);
      await inParallel(tried, async ([index, replica]) => {
        await write(replica, ref(0, index + 1), pattern(100, index));
        const open = (await setup.handles?.()) ?? 0;
        most = Math.max(most, open - (before ?? open));
      });
      await inParallel(replicas, async (replica) => {
        for await (const { minTXID } of replica.listFiles(0)) {
          assertAtMost(Number(minTXID), WRITTEN, 'TXID that is listed');
        }
      });
      for (const [index, replica] of tried) {
        assert.deepEqual(names(await list(replica, 0)), [`0/${index + 1}-${index + 1}`]);
      }
      assertAtMost(most, HANDLES_MAX, 'handles that are open at once');
      if (before !== undefined) saw(`${most} handles at most`);
    },
  },
  {
    id: 'concurrency/of-equal-names-one-is-whole',
    says: 'Of many writes of one name at once, one lies there, whole, and readers see whole ones.',
    async run({ connect, path, replica }) {
      const other = new Replica(await connect(), path);
      const bodies = Array.from({ length: 12 }, (_, index) => pattern(60_000, index));
      const isOneOf = (found: Uint8Array | 'none'): boolean =>
        found !== 'none' && bodies.some((bytes) => Buffer.compare(bytes, found) === 0);
      await write(replica, FILE, bodies[0]!);
      const [reads] = await Promise.all([
        Promise.allSettled(Array.from({ length: 6 }, () => held(other, FILE))),
        inTurns([replica, other], bodies),
      ]);
      for (const each of reads) {
        if (each.status === 'fulfilled') assert(isOneOf(each.value), 'a reader saw a whole file');
        else if (!isError(each.reason, 'REPLICA_CHANGED')) throw each.reason;
      }
      assert(isOneOf(await held(replica, FILE)), 'what is left is whole');
      assert.equal((await list(replica, 0)).length, 1);
    },
  },
  {
    id: 'concurrency/readers-disturb-no-writer',
    says: 'Listing and opening beside a write touch nothing of it, and leave no trace.',
    async run(context) {
      const { connect, path, replica } = context;
      const other = new Replica(await connect('read'), path);
      await write(replica, ref(0, 2), pattern(9, 1));
      const before = await keysOf(context);
      const bytes = pattern(300_000, 1);
      const body = bodyThat(bytes, 3, async () => {
        // The write may make files of its own at any time: what is there now must stay, no more.
        const beside = await keysOf(context);
        for (let round = 0; round < 3; round += 1) {
          assert.deepEqual(names(await list(other, 'all')), ['0/2-2']);
          assertBytes(await read(other, ref(0, 2)), pattern(9, 1));
        }
        const after = new Set(await keysOf(context));
        const gone = beside.filter((key) => !after.has(key));
        assert.deepEqual(gone, [], 'keys that are gone after reading beside a write');
      });
      await replica.writeFile(FILE, body);
      assertBytes(await read(other, FILE), bytes);
      await eventually(LEFTOVER_MS_MAX, async () => {
        const after = await keysOf(context);
        const more = after.filter((key) => !before.includes(key));
        const most = context.setup.raw === undefined ? 0 : 1;
        assert.equal(more.length, most, `one key more than before, not ${more.join(', ')}`);
      });
    },
  },
];

async function inTurns(replicas: readonly Replica[], bodies: readonly Uint8Array[]): Promise<void> {
  const writes = bodies.map((bytes, index) =>
    write(replicas[index % replicas.length]!, FILE, bytes),
  );
  await Promise.all(writes);
}
