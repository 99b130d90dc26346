import { expect, test } from 'vitest';
import { plant, PLANTED, PLANTED_IN_THE_TAIL } from '../support/mutant.ts';
import { seedOf } from '../support/random.ts';
import { torture, type TortureOptions } from './torture/torture.ts';

const ROUNDS = Number(process.env['SLUICE_TORTURE_ROUNDS'] ?? 15);
const PLANTED_ROUNDS_MAX = 150;
/** Events that must happen often, because otherwise the error is found only by chance. */
const OFTEN: Readonly<Record<string, Pick<TortureOptions, 'away' | 'images'>>> = {
  imageWithoutFramesBefore: { images: 'often' },
  fileIsNotLookedAt: { away: 'replace' },
  readerMovesOverSpilledFrames: { away: 'load' },
  spilledTailOfAStart: { away: 'load' },
};

for (const pageSize of [512, 4096, 16384]) {
  test(`the page map equals the database after every round, pages of ${pageSize}`, async () => {
    const seed = seedOf();
    console.log(`SLUICE_SEED=${seed}`);
    const report = await torture({ seed, rounds: ROUNDS, pageSize });
    console.log(JSON.stringify(report));
    expect(report.broken).toBeUndefined();
    expect(report.increments).toBeGreaterThan(0);
    expect(report.images).toBeGreaterThan(0);
  }, 600_000);
}

for (const [name, planted] of Object.entries({ ...PLANTED, ...PLANTED_IN_THE_TAIL })) {
  test(`the torture finds a planted error: ${name}`, async () => {
    const seed = seedOf();
    console.log(`SLUICE_SEED=${seed}`);
    const mutant = plant(name, planted);
    try {
      const report = await torture({
        seed,
        rounds: PLANTED_ROUNDS_MAX,
        pageSize: 4096,
        src: mutant.src,
        ...OFTEN[name],
      });
      console.log(`found in round ${report.broken?.round}: ${report.broken?.why}`);
      expect(report.broken).toBeDefined();
    } finally {
      mutant.remove();
    }
  }, 600_000);
}
