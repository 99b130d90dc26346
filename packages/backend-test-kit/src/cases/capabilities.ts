/** Both ways: what is claimed works, which the other cases judge; what is not is refused or emulated. */

import assert from 'node:assert/strict';

import type { Case } from '../case.ts';
import { assertBytes, bodyOf, list, pattern, read, ref, rejectsWith, write } from '../words.ts';

const FILE = ref(0, 1);
/** A bound that is larger is taken at its word: the kit does not send gigabytes. */
const SIZE_TRIED_MAX_BYTES = 64 * 1024 * 1024;

export const capabilityCases: readonly Case[] = [
  {
    id: 'capabilities/as-declared',
    says: 'The client claims what its author says it does, no more and no less.',
    async run({ client, setup, subject, saw }) {
      const bare = await setup.connect('write');
      await bare.close();
      assert.deepEqual(bare.capabilities, subject.capabilities);
      assert.equal(bare.layout ?? 'tree', subject.layout, 'layout');
      const copies = client.copy !== undefined;
      if (subject.copy !== undefined) assert.equal(copies, subject.copy === 'claimed', 'copy');
      saw(`${JSON.stringify(bare.capabilities)}, copy: ${copies ? 'yes' : 'no'}`);
    },
  },
  {
    id: 'capabilities/unclaimed-conditions-are-refused',
    says: 'A condition that is not claimed is REPLICA_UNSUPPORTED, and nothing is written.',
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
    says: 'A file of sizeMax bytes is taken, and one byte more is REPLICA_UNSUPPORTED.',
    needs: ['sizeMax'],
    async run({ layer, notJudged, replica, subject }) {
      const sizeMax = subject.capabilities.sizeMax ?? 0;
      if (sizeMax > SIZE_TRIED_MAX_BYTES) return notJudged(`${sizeMax} bytes are not tried`);
      const bytes = pattern(sizeMax, 1);
      await write(replica, FILE, bytes);
      assertBytes(await read(replica, FILE), bytes);
      if (layer === 'bare') return; // core refuses it before a backend is asked
      const more = write(replica, ref(0, 2), pattern(sizeMax + 1, 1));
      await rejectsWith(more, 'REPLICA_UNSUPPORTED');
    },
  },
];
