/** Runs the kit without a test runner. */

import { CASES } from './cases.ts';
import { newSeed } from './context.ts';
import { runCase, type CaseOptions, type Result } from './run-case.ts';
import { LAYERS, type Subject } from './subject.ts';

export interface RunOptions extends CaseOptions {
  /** Prefixes of the case IDs to run. Default: all cases. */
  readonly only?: readonly string[] | undefined;
  /** Called after each case. */
  readonly onResult?: ((result: Result) => void) | undefined;
}

export interface Report {
  readonly name: string;
  readonly results: readonly Result[];
  /** Whether all cases passed, were not tested, or failed as known deviations. */
  readonly isPassed: boolean;
  readonly seed: number;
}

/** Runs all cases sequentially, layer by layer. Rejects if the setup cannot be opened. */
export async function runKit(subject: Subject, options: RunOptions = {}): Promise<Report> {
  const { only, onResult, seed = newSeed() } = options;
  const cases = CASES.filter(
    ({ id }) => only === undefined || only.some((start) => id.startsWith(start)),
  );
  const results: Result[] = [];
  for (const layer of subject.layers ?? LAYERS) {
    const setup = await subject.open();
    try {
      for (const testCase of cases) {
        const result = await runCase(testCase, subject, setup, layer, { ...options, seed });
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
