/**
 * Runs the simulation by hand:
 *   node test/simulation/main.ts --seed 17 [--verbose]
 *   node test/simulation/main.ts --seeds 1000 [--for 60s] [--from 1] [--keep-going]
 *   node test/simulation/main.ts --seeds 200 --planted lostWrite
 *   node test/simulation/main.ts --seed 17 --actors none|encryption,follower,drill,merging,intervals,writers
 * --actors gives each run exactly these optional actors. Otherwise the seed decides.
 * Prints the steps of the first run that fails, or with --keep-going of each, and one line of JSON at the
 * end. Exit code 0 if every run passed. --verbose prints the steps of every run, and the log of the
 * replicator.
 */

import { parseArgs } from 'node:util';
import { isOptionalActor, OPTIONAL_ACTORS } from './actors/optional.ts';
import { isPlanted, PLANTED_ERRORS } from './planted.ts';
import { prepare } from './setting.ts';
import type { RunReport } from './simulation.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1' },
    from: { type: 'string', default: '1' },
    for: { type: 'string' },
    steps: { type: 'string' },
    planted: { type: 'string' },
    actors: { type: 'string' },
    'keep-going': { type: 'boolean' },
    verbose: { type: 'boolean' },
  },
});
const { planted, seed } = values;
const actors = values.actors?.split(',').filter((name) => name !== 'none');
if (planted !== undefined && !isPlanted(planted)) {
  throw new Error(`--planted is one of: ${Object.keys(PLANTED_ERRORS).join(', ')}`);
}
if (actors !== undefined && !actors.every(isOptionalActor)) {
  throw new Error(`--actors is none, or some of: ${OPTIONAL_ACTORS.join(',')}`);
}
const first = Number(seed ?? values.from);
const count = seed === undefined ? Number(values.seeds) : 1;
const deadline = performance.now() + toMs(values.for ?? '24h');
const steps = values.steps === undefined ? undefined : Number(values.steps);

const { run, remove } = await prepare(planted);
const totals = { seeds: 0, restores: 0, states: 0, kills: 0 };
const failed: Pick<RunReport, 'seed' | 'broken'>[] = [];
try {
  for (let next = first; next < first + count && performance.now() < deadline; next++) {
    const report = await run({
      seed: next,
      steps,
      actors,
      onLine: (line) => {
        if (values.verbose) console.log(line);
      },
    });
    totals.seeds += 1;
    totals.restores += report.restores;
    totals.states += report.states;
    totals.kills += report.kills;
    if (report.broken === undefined) continue;
    failed.push({ seed: next, broken: report.broken });
    if (!values.verbose) console.log([`seed ${next}`, ...report.trace].join('\n'));
    if (!values['keep-going']) break;
  }
} finally {
  remove();
}
console.log(JSON.stringify({ ...totals, failed }));
process.exitCode = failed.length === 0 ? 0 : 1;

function toMs(duration: string): number {
  const [, amount, unit] = /^(\d+)(s|m|h)$/.exec(duration) ?? [];
  if (amount === undefined) throw new Error('--for is a number of s, m or h, such as 60s');
  return Number(amount) * (unit === 's' ? 1_000 : unit === 'm' ? 60_000 : 3_600_000);
}
