import { Replica } from '@sluice/core/backend/testing';

import type { Case } from '../case.ts';
import { compareWithModel, RUNS } from '../model.ts';

export const randomCases: readonly Case[] = [
  {
    id: 'model/random-calls',
    promise: 'Any sequence of calls gives the same results as the in-memory reference.',
    async run({ client, connect, layer, note, seed, setup, subject }) {
      const { conditions, ranges } = subject.capabilities;
      note(`${RUNS} sequences of calls, seed ${seed}`);
      await compareWithModel({
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
