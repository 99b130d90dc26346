/**
 * Runs the kill loop by hand:
 *   node test/recovery/kill-loop.main.ts --rounds 1000 [--seed N] [--cross-check LITESTREAM]
 *   node test/recovery/kill-loop.main.ts --rounds 100 [--seed N] --rival LITESTREAM
 *   node test/recovery/kill-loop.main.ts --rounds 100 [--seed N] --planted gapBetweenReaders
 *   node test/recovery/kill-loop.main.ts --rounds 20 [--seed N] --actor 'spilled tail' [--planted for-actor]
 * A named actor acts in every round. Without --actor, a random one acts in a fifth of the rounds.
 * --verbose prints every round.
 * Prints one line of JSON at the end. Exit code 0 if every round passed. SLUICE_KEEP=1 keeps the folders.
 */

import { parseArgs } from 'node:util';
import { plant, PLANTED } from '../../packages/core/test/support/mutant.ts';
import { seedOf } from '../../packages/core/test/support/random.ts';
import { killLoop } from './kill-loop.ts';
import { ACTOR_NAMES } from './kill-loop/actors/actors.ts';
import { PLANTED_FOR_ACTORS } from './kill-loop/actors/planted.ts';

const PRINT_EVERY_ROUNDS = 50;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    rival: { type: 'string' },
    'cross-check': { type: 'string' },
    planted: { type: 'string' },
    actor: { type: 'string' },
    verbose: { type: 'boolean' },
  },
});
const seed = values.seed === undefined ? seedOf() : Number(values.seed);
const { planted, rival } = values;
const actor = ACTOR_NAMES.find((name) => name === values.actor);
if (values.actor !== undefined && actor === undefined) {
  throw new Error(`--actor is one of: ${ACTOR_NAMES.join(', ')}`);
}
const isForActor = planted === 'for-actor' && actor !== undefined;
const errors = isForActor ? PLANTED_FOR_ACTORS[actor] : PLANTED[planted as keyof typeof PLANTED];
const mutant = planted === undefined ? undefined : plant(planted, errors);
try {
  const report = await killLoop({
    seed,
    rounds: Number(values.rounds),
    rival,
    actor,
    crossCheck: values['cross-check'],
    src: mutant?.src,
    onRound: (round, { broken, story }) => {
      if (broken === undefined && values.verbose !== true && round % PRINT_EVERY_ROUNDS !== 0)
        return;
      console.log(`round ${round}: ${broken ?? `passed ${story.join(', ')}`.trim()}`);
    },
  });
  console.log(JSON.stringify({ seed, ...report }));
  process.exitCode = report.broken === undefined ? 0 : 1;
} finally {
  mutant?.remove();
}
