/** The kill loop by hand: node test/recovery/kill-loop.main.ts --rounds 1000 [--seed N] [--rival LITESTREAM] */

import { parseArgs } from 'node:util';
import { seedOf } from '../../packages/core/test/support/random.ts';
import { killLoop } from './kill-loop.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    rival: { type: 'string' },
  },
});
const seed = values.seed === undefined ? seedOf() : Number(values.seed);
const rounds = Number(values.rounds);
const report = await killLoop({
  seed,
  rounds,
  rival: values.rival,
  onRound: (round, text) => {
    if (text !== 'holds' || round % 50 === 0) console.log(`round ${round}: ${text}`);
  },
});
console.log(JSON.stringify({ seed, ...report }));
process.exitCode = report.broken === undefined ? 0 : 1;
