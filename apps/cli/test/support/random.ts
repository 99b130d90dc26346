/** Random choices that a seed repeats. */

import { random } from '../costing/random.ts';

/** One of the values. */
export type Choose = <Value>(values: readonly Value[]) => Value;

/** The seed is SLUICE_SEED, or a random number, which is printed. */
export function randomFrom(): Choose {
  const given = process.env['SLUICE_SEED'];
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  console.log(`SLUICE_SEED=${seed}`);
  const next = random(seed);
  return (values) => values[next(values.length)] as (typeof values)[number];
}
