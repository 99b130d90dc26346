/** Randomness as an argument, so that a simulation can repeat a run from its seed. */

import { randomBytes } from 'node:crypto';

/** A source of random numbers. */
export interface Random {
  /** At least 0 and less than 1. */
  fraction(): number;
  /** 64 unpredictable bits. */
  bits64(): bigint;
}

/** The random numbers of this machine. */
export const systemRandom: Random = {
  fraction: () => Math.random(),
  bits64: () => randomBytes(8).readBigUInt64BE(),
};
