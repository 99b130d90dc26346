/** Claims match the subject, and unclaimed features are refused. Other cases test the claimed features. */

import assert from 'node:assert/strict';

import type { Case } from '../case.ts';
import { assertBytes, bodyOf, list, pattern, read, ref, rejectsWith, write } from '../helpers.ts';

const FILE = ref(0, 1);
/** Larger limits are not tested: the kit does not send gigabytes. */
const TESTED_SIZE_MAX_BYTES = 64 * 1024 * 1024;

export const capabilityCases: readonly Case[] = [
  {
    id: 'capabilities/as-declared',
    promise: 'The client has exactly the capabilities that the subject lists.',
    async run({ client, setup, subject, note }) {
      const bare = await setup.connect('write');
      await bare.close();
      assert.deepEqual(bare.capabilities, subject.capabilities);
      assert.equal(bare.layout ?? 'tree', subject.layout, 'layout');
      const copies = client.copy !== undefined;
      if (subject.copy !== undefined) assert.equal(copies, subject.copy === 'claimed', 'copy');
      note(`${JSON.stringify(bare.capabilities)}, copy: ${copies ? 'yes' : 'no'}`);
    },
  },
  {
    id: 'capabilities/unclaimed-conditions-are-refused',
    promise:
      'A write with an unclaimed condition fails with REPLICA_UNSUPPORTED and writes nothing.',
    needs: ['noConditions'],
    layers: ['wrapped'],
    async run({ replica }) {
      const conditional = replica.writeFile(FILE, bodyOf(pattern(9, 1)), {
        condition: 'if-absent',
      });
      await rejectsWith(conditional, 'REPLICA_UNSUPPORTED');
      assert.deepEqual(await list(replica, 'all'), []);
    },
  },
  {
    id: 'capabilities/size-max',
    promise: 'A file of sizeMax bytes is stored; one byte more fails with REPLICA_UNSUPPORTED.',
    needs: ['sizeMax'],
    async run({ layer, notTested, replica, subject }) {
      const sizeMax = subject.capabilities.sizeMax ?? 0;
      if (sizeMax > TESTED_SIZE_MAX_BYTES)
        return notTested(`sizeMax is ${sizeMax} bytes, too large to test`);
      const bytes = pattern(sizeMax, 1);
      await write(replica, FILE, bytes);
      assertBytes(await read(replica, FILE), bytes);
      if (layer === 'bare') return; // core refuses it without calling the backend
      const more = write(replica, ref(0, 2), pattern(sizeMax + 1, 1));
      await rejectsWith(more, 'REPLICA_UNSUPPORTED');
    },
  },
];
