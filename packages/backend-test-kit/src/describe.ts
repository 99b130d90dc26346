/** The kit under a test runner: node:test, vitest, or whatever has these four functions. */

import { whyNotJudged } from './case.ts';
import { CASES } from './cases.ts';
import { deviationOf, type Deviation } from './deviation.ts';
import { CASE_MS_MAX, judge, type JudgeOptions, type Result } from './judge.ts';
import { LAYERS, type Setup, type Subject } from './subject.ts';

export interface Runner {
  readonly describe: (name: string, body: () => void) => unknown;
  /** A runner with a limit of its own (vitest, Jest) takes ours as the third argument; node:test has none. */
  readonly test: (name: string, body: () => Promise<void>, timeoutMs: number) => unknown;
  /** vitest's beforeAll; before of node:test. */
  readonly before: (hook: () => Promise<void>) => unknown;
  /** vitest's afterAll; after of node:test. */
  readonly after: (hook: () => Promise<void>) => unknown;
}

/** After the kit's own limit, which says what hung. */
const RUNNER_MS_MORE = 10_000;

/** Makes a test of every case that can be judged. Returns the ids of those that cannot, and why. */
export function describeBackend(
  subject: Subject,
  { after, before, describe, test }: Runner,
  options: JudgeOptions = {},
): ReadonlyMap<string, string> {
  const { deviations = {}, layers = LAYERS, name } = subject;
  const timeoutMs = (options.caseMsMax ?? CASE_MS_MAX) + RUNNER_MS_MORE;
  const unjudged = new Map<string, string>();
  for (const layer of layers) {
    describe(`${name}, ${layer}`, () => {
      let setup: Setup | undefined;
      before(async () => {
        setup = await subject.open();
      });
      after(async () => setup?.stop());
      for (const each of CASES) {
        if (whyNotJudged(each, subject, layer) !== undefined) continue;
        const deviation = deviationOf(each.id, layer, subject);
        const known = deviation === undefined ? '' : toSuffix(deviation);
        const body = async (): Promise<void> => {
          if (setup === undefined) throw new Error(`${name}: the set-up did not open`);
          const result = await judge(each, subject, setup, layer, options);
          if (!result.isExpected) throw toFailure(result);
        };
        test(each.id + known, body, timeoutMs);
      }
    });
  }
  for (const each of CASES) {
    const reasons = layers.map((layer) => whyNotJudged(each, subject, layer));
    const [first] = reasons;
    if (first !== undefined && !reasons.includes(undefined)) unjudged.set(each.id, first);
  }
  const ids = new Set(
    CASES.flatMap(({ id }) => [id, ...LAYERS.map((layer) => `${id} (${layer})`)]),
  );
  const unknown = Object.keys(deviations).filter((id) => !ids.has(id));
  const check = async (): Promise<void> => {
    if (unknown.length > 0) throw new Error(`no case is called ${unknown.join(', ')}`);
  };
  test(`${name}: every deviation is of a case that there is`, check, timeoutMs);
  return unjudged;
}

function toSuffix({ fails, reason }: Deviation): string {
  return ` ${fails === 'always' ? 'does not hold' : 'does not always hold'}: ${reason}`;
}

/** With the seed, which brings back what was random. */
function toFailure({ error, seed, seen, why }: Result): Error {
  const message = `${why ?? seen ?? 'broken'} (seed ${seed})`;
  return new Error(message, error === undefined ? undefined : { cause: error });
}
