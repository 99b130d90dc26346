import type { ReplicaClient } from '@sluice/core/backend';

import type { Case } from '../case.ts';
import { judgeByModel, RUNS } from '../model.ts';

export const randomCases: readonly Case[] = [
  {
    id: 'model/random-calls',
    says: 'Any row of calls is answered as the reference in memory answers it.',
    async run({ connect, destination, layer, saw, seed, setup, subject }) {
      const { ifAbsent, ranges } = subject.capabilities;
      saw(`${RUNS} rows of calls, seed ${seed}`);
      await judgeByModel({
        async open() {
          const path = setup.newPath();
          const reconnect = async (): Promise<ReplicaClient> => (await connect()).replica(path);
          return { replica: destination.replica(path), reconnect };
        },
        ifAbsent: ifAbsent !== undefined,
        ranges: ranges === true || layer === 'wrapped',
        seed,
      });
    },
  },
];
