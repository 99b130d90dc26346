import assert from 'node:assert/strict';

import { chaos, Replica, withPolicies } from '@sluice/core/backend/testing';
import { isError, ReplicationError } from '@sluice/core/backend';

import type { Case } from '../case.ts';
import { assertBytes, bodyOf, list, pattern, read, ref, rejectsWith, write } from '../helpers.ts';

const FILE = ref(0, 5);
const condition = 'if-absent';

export const ifAbsentCases: readonly Case[] = [
  {
    id: 'if-absent/an-equal-name-is-a-conflict',
    promise:
      'With if-absent, writing an existing file fails with REPLICA_CONFLICT and does not change it.',
    needs: ['conditions'],
    async run({ replica }) {
      const bytes = pattern(5_000, 1);
      const info = await replica.writeFile(FILE, bodyOf(bytes), { condition });
      assert.equal(info.sizeBytes, 5_000);
      for (const other of [pattern(5_000, 2), pattern(9, 3)]) {
        const refused = replica.writeFile(FILE, bodyOf(other), { condition });
        await rejectsWith(refused, 'REPLICA_CONFLICT');
      }
      assertBytes(await read(replica, FILE), bytes);
      assert.equal((await list(replica, 0)).length, 1);
    },
  },
  {
    id: 'if-absent/a-deleted-name-is-free',
    promise: 'With if-absent, a deleted file can be written again.',
    needs: ['conditions'],
    async run({ replica }) {
      await replica.writeFile(FILE, bodyOf(pattern(9, 1)), { condition });
      await replica.deleteFiles([FILE]);
      await replica.writeFile(FILE, bodyOf(pattern(9, 2)), { condition });
      assertBytes(await read(replica, FILE), pattern(9, 2));
    },
  },
  {
    id: 'if-absent/of-20-at-once-one-wins',
    promise:
      'Exactly one of twenty concurrent writes with if-absent succeeds, and its bytes are stored.',
    needs: ['conditions'],
    async run({ connect, path, replica }) {
      await write(replica, ref(9, 1), pattern(9, 1));
      const other = new Replica(await connect(), path);
      const bodies = Array.from({ length: 20 }, (_, index) => pattern(3_000, index + 1));
      const ended = await Promise.allSettled(
        bodies.map((bytes, index) =>
          (index % 2 === 0 ? replica : other).writeFile(FILE, bodyOf(bytes), { condition }),
        ),
      );
      const winners = ended.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []));
      assert.equal(winners.length, 1);
      for (const each of ended) {
        if (each.status === 'rejected')
          assert(isError(each.reason, 'REPLICA_CONFLICT'), each.reason);
      }
      assertBytes(await read(replica, FILE), bodies[winners[0]!]!);
    },
  },
  {
    id: 'if-absent/beyond-parts',
    promise: 'if-absent works for bodies sent in parts, up to the claimed size.',
    needs: ['conditions'],
    sizeBytes: ({ partSizeBytes }) => 2 * partSizeBytes + 1,
    async run({ subject, replica, layer }) {
      const { conditions } = subject.capabilities;
      const bytes = pattern(2 * subject.partSizeBytes + 1, 1);
      const first = replica.writeFile(FILE, bodyOf(bytes), { condition });
      if (typeof conditions === 'object' && bytes.byteLength > conditions.sizeMax) {
        if (layer === 'wrapped') await rejectsWith(first, 'REPLICA_UNSUPPORTED');
        else await first.catch(() => undefined);
        assert.equal((await list(replica, 0)).length <= 1, true);
        return;
      }
      await first;
      const other = pattern(2 * subject.partSizeBytes + 1, 2);
      await rejectsWith(replica.writeFile(FILE, bodyOf(other), { condition }), 'REPLICA_CONFLICT');
      assertBytes(await read(replica, FILE), bytes);
    },
  },
  {
    id: 'if-absent/our-own-write-is-no-conflict',
    promise:
      'A conflict with equal bytes is REPLICA_CONFLICT from the backend, and a success from core.',
    needs: ['conditions'],
    async run({ replica, layer }) {
      const bytes = pattern(5_000, 1);
      await replica.writeFile(FILE, bodyOf(bytes), { condition });
      const repeated = replica.writeFile(FILE, bodyOf(bytes), { condition });
      // Core reads the stored object and compares it.
      if (layer === 'bare') return await rejectsWith(repeated, 'REPLICA_CONFLICT');
      assert.equal((await repeated).sizeBytes, 5_000);
    },
  },
  {
    id: 'if-absent/a-lost-answer-is-no-conflict',
    promise:
      'A write with if-absent succeeds if its response is lost, and does not conflict with itself.',
    needs: ['conditions'],
    layers: ['wrapped'],
    async run({ path, setup }) {
      const bare = await setup.connect('write');
      const error = new ReplicationError('REPLICA_UNAVAILABLE', 'the response was lost');
      const { client } = withPolicies(chaos(bare, { on: 'put', at: 'commit', error }).client);
      try {
        const bytes = pattern(5_000, 1);
        const replica = new Replica(client, path);
        const info = await replica.writeFile(FILE, bodyOf(bytes), { condition });
        assert.equal(info.sizeBytes, bytes.byteLength);
        assertBytes(await read(replica, FILE), bytes);
      } finally {
        await client.close();
      }
    },
  },
];
