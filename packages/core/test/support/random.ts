/** Random numbers from a seed (mulberry32), so that a failure can be reproduced. */

export interface Random {
  /** A number from 0 (inclusive) to 1 (exclusive). */
  next(): number;
  /** An integer from `least` to `most`, inclusive. */
  int(least: number, most: number): number;
  pick<T>(of: readonly T[]): T;
  chance(probability: number): boolean;
}

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const int = (least: number, most: number): number =>
    least + Math.floor(next() * (most - least + 1));
  return {
    next,
    int,
    pick: (of) => of[int(0, of.length - 1)] as (typeof of)[number],
    chance: (probability) => next() < probability,
  };
}

/** Difference of the seeds of two tries of a test. */
const NEXT_TRY = 1_000_003;

/** The seed of a random test: SLUICE_SEED, or a random number. The test prints it. `tries`: of this test until now. */
export function seedOf(tries = 0): number {
  const given = process.env['SLUICE_SEED'];
  const first = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  return first + tries * NEXT_TRY;
}

/** `count` different items, drawn with the seed of the test; all if there are no more. */
export function drawFrom<T>(items: readonly T[], count: number): T[] {
  const random = randomFrom(seedOf());
  const left = [...items];
  const drawn: T[] = [];
  while (drawn.length < count && left.length > 0) {
    drawn.push(...left.splice(random.int(0, left.length - 1), 1));
  }
  return drawn;
}
