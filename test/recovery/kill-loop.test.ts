/**
 * The kill loop: some 30 s by default, some minutes in CI, 1,000 rounds with
 * `node test/recovery/kill-loop.main.ts --rounds 1000`. It must also find planted errors.
 */

import { describe, expect, test } from 'vitest';
import { plant, PLANTED } from '../../packages/core/test/support/mutant.ts';
import { drawFrom, seedOf } from '../../packages/core/test/support/random.ts';
import { killLoop, type KillLoopReport } from './kill-loop.ts';
import { ACTOR_NAMES } from './kill-loop/actors/actors.ts';
import { PLANTED_FOR_ACTORS } from './kill-loop/actors/planted.ts';
import { toolIfThere } from './tool-if-there.ts';

const IN_CI = process.env['SLUICE_REQUIRE'] === 'all';
const ROUNDS = Number(process.env['SLUICE_KILL_ROUNDS'] ?? (IN_CI ? 110 : 15));
const PLANTED_ROUNDS_MAX = 100;
/** Maximum rounds when an actor acts in every round. */
const ACTOR_ROUNDS_MAX = 60;
const ACTOR_TIMEOUT_MS = 15_000;
/** Number of actors, chosen at random in each run, that must find the errors planted for them. */
const ACTORS = Number(process.env['SLUICE_KILL_ACTORS'] ?? (IN_CI ? 3 : 1));
/** Below this number of rounds the shares vary too much for tight limits. */
const ROUNDS_FOR_TIGHT_LIMITS = 100;
const ROUND_MS_MAX = 15_000;
const PLANTED_NAMES = Object.keys(PLANTED) as (keyof typeof PLANTED)[];
/** Errors that show only after a rare act: the actor acts in every round. */
const ACTOR_FOR: Partial<Record<keyof typeof PLANTED, (typeof ACTOR_NAMES)[number]>> = {
  fileIsNotLookedAt: 'replaced while stopped',
};

type Order = Omit<Parameters<typeof killLoop>[0], 'seed'>;

/** `tries`: of this test until now. */
async function run(order: Order, tries?: number): Promise<KillLoopReport> {
  const seed = seedOf(tries);
  console.log(`SLUICE_SEED=${seed}`);
  const report = await killLoop({ ...order, seed });
  console.log(JSON.stringify(report));
  return report;
}

test(
  'every commit that was reported as replicated can be restored from each destination after a SIGKILL',
  async () => {
    const crossCheck = toolIfThere('litestream-0.5.17');
    const report = await run({ rounds: ROUNDS, crossCheck });
    const text = JSON.stringify(report);
    expect(report.broken, text).toBeUndefined();
    expect(report.rounds).toBe(ROUNDS);
    // A replicator that does nothing must not pass. On a slow disk reports are older than 2 s more often.
    expect(report.freshShare, text).toBeGreaterThanOrEqual(
      ROUNDS < ROUNDS_FOR_TIGHT_LIMITS ? 0.5 : 0.75,
    );
    // An application that writes while the replicator is down restarts its WAL, more often on a busy
    // machine: then most starts have to take a full snapshot, and in a short run perhaps all of them.
    if (ROUNDS >= ROUNDS_FOR_TIGHT_LIMITS) expect(report.resumedShare, text).toBeGreaterThan(0);
  },
  ROUNDS * ROUND_MS_MAX,
);

// A run of 100 rounds may miss the error by chance and is then repeated with another seed.
describe('the kill loop finds a planted error', { retry: 2 }, () => {
  for (const name of drawFrom(PLANTED_NAMES, IN_CI ? PLANTED_NAMES.length : 1)) {
    test(
      name,
      async ({ task }) => {
        const { src, remove } = plant(`kill-${name}`, PLANTED[name]);
        const actor = ACTOR_FOR[name];
        try {
          const order = { rounds: PLANTED_ROUNDS_MAX, src, actor };
          const report = await run(order, task.result?.retryCount);
          expect(report.broken).toBeDefined();
        } finally {
          remove();
        }
      },
      PLANTED_ROUNDS_MAX * ROUND_MS_MAX,
    );
  }
});

describe('an actor finds the error that is planted for it', { retry: 2 }, () => {
  for (const actor of drawFrom(ACTOR_NAMES, ACTORS)) {
    test(
      actor,
      async ({ task }) => {
        const name = `kill-${actor.replaceAll(' ', '-')}`;
        const { src, remove } = plant(name, PLANTED_FOR_ACTORS[actor]);
        try {
          const order = { rounds: ACTOR_ROUNDS_MAX, src, actor, timeoutMs: ACTOR_TIMEOUT_MS };
          const report = await run(order, task.result?.retryCount);
          expect(report.broken).toBeDefined();
        } finally {
          remove();
        }
      },
      ACTOR_ROUNDS_MAX * ROUND_MS_MAX,
    );
  }
});
