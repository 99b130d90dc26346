/** Runs the kit under a test runner: node:test, vitest, or any other with these four functions. */

import { whyNotTested } from './case.ts';
import { CASES } from './cases.ts';
import { deviationOf, type Deviation } from './deviation.ts';
import { CASE_MS_MAX, runCase, type CaseOptions, type Result } from './run-case.ts';
import { LAYERS, type Setup, type Subject } from './subject.ts';

export interface Runner {
  readonly describe: (name: string, body: () => void) => unknown;
  /** vitest and Jest accept a timeout as the third argument; node:test has no default timeout. */
  readonly test: (name: string, body: () => Promise<void>, timeoutMs: number) => unknown;
  /** `beforeAll` in vitest, `before` in node:test. */
  readonly before: (hook: () => Promise<void>) => unknown;
  /** `afterAll` in vitest, `after` in node:test. */
  readonly after: (hook: () => Promise<void>) => unknown;
}

/** The runner's timeout is longer than the kit's, whose message names the case that hung. */
const RUNNER_EXTRA_MS = 10_000;

/** Registers a test for each case that can run. Returns the IDs of the other cases with the reasons. */
export function describeBackend(
  subject: Subject,
  { after, before, describe, test }: Runner,
  options: CaseOptions = {},
): ReadonlyMap<string, string> {
  const { deviations = {}, layers = LAYERS, name } = subject;
  const timeoutMs = (options.caseMsMax ?? CASE_MS_MAX) + RUNNER_EXTRA_MS;
  const untested = new Map<string, string>();
  for (const layer of layers) {
    describe(`${name}, ${layer}`, () => {
      let setup: Setup | undefined;
      before(async () => {
        setup = await subject.open();
      });
      after(async () => setup?.stop());
      for (const testCase of CASES) {
        if (whyNotTested(testCase, subject, layer) !== undefined) continue;
        const deviation = deviationOf(testCase.id, layer, subject);
        const known = deviation === undefined ? '' : toSuffix(deviation);
        const body = async (): Promise<void> => {
          if (setup === undefined) throw new Error(`${name}: the setup did not open`);
          const result = await runCase(testCase, subject, setup, layer, options);
          if (!result.isExpected) throw toError(result);
        };
        test(testCase.id + known, body, timeoutMs);
      }
    });
  }
  for (const testCase of CASES) {
    const reasons = layers.map((layer) => whyNotTested(testCase, subject, layer));
    const [first] = reasons;
    if (first !== undefined && !reasons.includes(undefined)) untested.set(testCase.id, first);
  }
  const ids = new Set(
    CASES.flatMap(({ id }) => [id, ...LAYERS.map((layer) => `${id} (${layer})`)]),
  );
  const unknown = Object.keys(deviations).filter((id) => !ids.has(id));
  const check = async (): Promise<void> => {
    if (unknown.length > 0) throw new Error(`deviations of unknown cases: ${unknown.join(', ')}`);
  };
  test(`${name}: every deviation names an existing case`, check, timeoutMs);
  return untested;
}

function toSuffix({ fails, reason }: Deviation): string {
  return ` ${fails === 'always' ? 'does not hold' : 'does not always hold'}: ${reason}`;
}

/** The message includes the seed, which reproduces the run. */
function toError({ details, error, reason, seed }: Result): Error {
  const message = `${reason ?? details ?? 'failed'} (seed ${seed})`;
  return new Error(message, error === undefined ? undefined : { cause: error });
}
