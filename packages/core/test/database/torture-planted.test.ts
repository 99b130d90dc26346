/** The torture test must find planted errors: all of them in CI, else some that are drawn at random. */

import { expect, test } from 'vitest';
import { plant, PLANTED, PLANTED_IN_THE_TAIL } from '../support/mutant.ts';
import { drawFrom, seedOf } from '../support/random.ts';
import { torture, type TortureOptions } from './torture/torture.ts';

const IN_CI = process.env['SLUICE_REQUIRE'] === 'all';
const ALL = { ...PLANTED, ...PLANTED_IN_THE_TAIL };
const NAMES = Object.keys(ALL) as (keyof typeof ALL)[];
const COUNT = Number(process.env['SLUICE_TORTURE_PLANTED'] ?? (IN_CI ? NAMES.length : 2));
const ROUNDS_MAX = 150;
/** Events that must happen often, because otherwise the error is found only by chance. */
const OFTEN: Readonly<Record<string, Pick<TortureOptions, 'away' | 'images'>>> = {
  imageWithoutFramesBefore: { images: 'often' },
  fileIsNotLookedAt: { away: 'replace' },
  readerMovesOverSpilledFrames: { away: 'load' },
  spilledTailOfAStart: { away: 'load' },
};

// The processes run in real time, so a run may miss the error by chance, and is repeated with another seed.
for (const name of drawFrom(NAMES, COUNT)) {
  const title = `the torture finds a planted error: ${name}`;
  test(title, { retry: 2, timeout: 600_000 }, async ({ task }) => {
    const seed = seedOf(task.result?.retryCount);
    console.log(`SLUICE_SEED=${seed}`);
    const mutant = plant(name, ALL[name]);
    try {
      const report = await torture({
        seed,
        rounds: ROUNDS_MAX,
        pageSize: 4096,
        src: mutant.src,
        ...OFTEN[name],
      });
      console.log(`found in round ${report.broken?.round}: ${report.broken?.why}`);
      expect(report.broken).toBeDefined();
    } finally {
      mutant.remove();
    }
  });
}
