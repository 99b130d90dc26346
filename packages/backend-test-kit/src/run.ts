/** The kit without a test runner: every case over a subject, and a report of what was seen. */

import { CASES } from './cases.ts';
import { newSeed } from './context.ts';
import { judge, type JudgeOptions, type Result } from './judge.ts';
import { LAYERS, type Subject } from './subject.ts';

export interface RunOptions extends JudgeOptions {
  /** Only cases whose id begins with one of these. Default: all. */
  readonly only?: readonly string[] | undefined;
  /** Told of each result as it comes. */
  readonly onResult?: ((result: Result) => void) | undefined;
}

export interface Report {
  readonly name: string;
  readonly results: readonly Result[];
  /** Whether all is as the subject says: nothing broken but what is listed as a deviation. */
  readonly isPassed: boolean;
  readonly seed: number;
}

/** Judges every promise, layer by layer, one case after the other. Rejects if no set-up opens. */
export async function runKit(subject: Subject, options: RunOptions = {}): Promise<Report> {
  const { only, onResult, seed = newSeed() } = options;
  const cases = CASES.filter(
    ({ id }) => only === undefined || only.some((start) => id.startsWith(start)),
  );
  const results: Result[] = [];
  for (const layer of subject.layers ?? LAYERS) {
    const setup = await subject.open();
    try {
      for (const each of cases) {
        const result = await judge(each, subject, setup, layer, { ...options, seed });
        results.push(result);
        onResult?.(result);
      }
    } finally {
      await setup.stop();
    }
  }
  const isPassed = results.every(({ isExpected }) => isExpected);
  return { name: subject.name, results, isPassed, seed };
}
