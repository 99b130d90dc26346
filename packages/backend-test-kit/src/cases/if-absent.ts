import assert from 'node:assert/strict';

import { chaos, Replica, withPolicies } from '@sluice/core/backend/testing';
import { isError, ReplicationError } from '@sluice/core/backend';

import type { Case } from '../case.ts';
import { assertBytes, bodyOf, list, pattern, read, ref, rejectsWith, write } from '../words.ts';

const FILE = ref(0, 5);
const condition = 'if-absent';

export const ifAbsentCases: readonly Case[] = [
  {
    id: 'if-absent/an-equal-name-is-a-conflict',
    says: 'With if-absent, a name that is taken is REPLICA_CONFLICT and stays as it is.',
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
    says: 'With if-absent, a name that was deleted is free again.',
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
    says: 'Of twenty writes with if-absent at once, one wins, and it is what lies there.',
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
    says: 'if-absent holds for bodies in parts, as far as it is claimed.',
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
    says: 'A conflict with equal bytes is told by the backend, and settled by core.',
    needs: ['conditions'],
    async run({ replica, layer }) {
      const bytes = pattern(5_000, 1);
      await replica.writeFile(FILE, bodyOf(bytes), { condition });
      const again = replica.writeFile(FILE, bodyOf(bytes), { condition });
      // The backend reports what it was told; core reads what lies there before it does.
      if (layer === 'bare') return await rejectsWith(again, 'REPLICA_CONFLICT');
      assert.equal((await again).sizeBytes, 5_000);
    },
  },
  {
    id: 'if-absent/a-lost-answer-is-no-conflict',
    says: 'A write with if-absent whose answer was lost ends in success, not in a conflict with itself.',
    needs: ['conditions'],
    layers: ['wrapped'],
    async run({ path, setup }) {
      const bare = await setup.connect('write');
      const error = new ReplicationError('REPLICA_UNAVAILABLE', 'the answer was lost');
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
