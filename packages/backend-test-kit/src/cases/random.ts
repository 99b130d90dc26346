import { Replica } from '@sluice/core/backend/testing';

import type { Case } from '../case.ts';
import { judgeByModel, RUNS } from '../model.ts';

export const randomCases: readonly Case[] = [
  {
    id: 'model/random-calls',
    says: 'Any row of calls is answered as the reference in memory answers it.',
    async run({ client, connect, layer, saw, seed, setup, subject }) {
      const { conditions, ranges } = subject.capabilities;
      saw(`${RUNS} rows of calls, seed ${seed}`);
      await judgeByModel({
        async open() {
          const path = setup.newPath();
          const reconnect = async (): Promise<Replica> => new Replica(await connect(), path);
          return { replica: new Replica(client, path), reconnect };
        },
        conditions: conditions !== undefined,
        ranges: ranges === true || layer === 'wrapped',
        seed,
      });
    },
  },
];
