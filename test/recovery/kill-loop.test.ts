/**
 * The kill loop, for as long as there is time: some 30 s by default, some minutes in CI, 1,000 rounds
 * by `node test/recovery/kill-loop.main.ts --rounds 1000`. It must find what is planted, too.
 */

import { describe, expect, test } from 'vitest';
import { plant, PLANTED } from '../../packages/core/test/support/mutant.ts';
import { seedOf } from '../../packages/core/test/support/random.ts';
import { killLoop, type KillLoopReport } from './kill-loop.ts';
import { toolIfThere } from './tool-if-there.ts';

const IN_CI = process.env['SLUICE_REQUIRE'] === 'all';
const ROUNDS = Number(process.env['SLUICE_KILL_ROUNDS'] ?? (IN_CI ? 110 : 15));
const PLANTED_ROUNDS_MAX = 100;
/** Shares of few rounds say little. */
const ROUNDS_THAT_TELL = 100;
const ROUND_MS_MAX = 15_000;

async function run(rounds: number, src?: string): Promise<KillLoopReport> {
  const seed = seedOf();
  console.log(`SLUICE_SEED=${seed}`);
  const report = await killLoop({
    seed,
    rounds,
    src,
    crossCheck: toolIfThere('litestream-0.5.17'),
  });
  console.log(JSON.stringify(report));
  return report;
}

test(
  'what was reported as replicated is restored from each destination after every SIGKILL',
  async () => {
    const report = await run(ROUNDS);
    expect(report.broken).toBeUndefined();
    expect(report.rounds).toBe(ROUNDS);
    // So that a replicator that does nothing does not pass.
    expect(report.freshShare).toBeGreaterThanOrEqual(ROUNDS < ROUNDS_THAT_TELL ? 0.5 : 0.9);
    expect(report.resumedShare).toBeGreaterThanOrEqual(ROUNDS < ROUNDS_THAT_TELL ? 0.05 : 0.3);
  },
  ROUNDS * ROUND_MS_MAX,
);

// By chance a run of 100 rounds may not meet one: it is then run anew, with another seed.
describe('the loop finds a planted error', { retry: 2 }, () => {
  for (const [name, planted] of Object.entries(PLANTED)) {
    test(
      name,
      async () => {
        const mutant = plant(`kill-${name}`, planted);
        try {
          const report = await run(PLANTED_ROUNDS_MAX, mutant.src);
          expect(report.broken).toBeDefined();
        } finally {
          mutant.remove();
        }
      },
      PLANTED_ROUNDS_MAX * ROUND_MS_MAX,
    );
  }
});
