/** The kit under a test runner: node:test, vitest, or whatever has these four functions. */

import { deviationOf, whyNotJudged } from './case.ts';
import { CASES } from './cases.ts';
import { judge, type JudgeOptions, type Result } from './judge.ts';
import { LAYERS, type Setup, type Subject } from './subject.ts';

export interface Runner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly test: (name: string, body: () => Promise<void>) => unknown;
  /** vitest's beforeAll; before of node:test. */
  readonly before: (hook: () => Promise<void>) => unknown;
  /** vitest's afterAll; after of node:test. */
  readonly after: (hook: () => Promise<void>) => unknown;
}

/** Makes a test of every case that can be judged. Returns the ids of those that cannot, and why. */
export function describeBackend(
  subject: Subject,
  { after, before, describe, test }: Runner,
  options: JudgeOptions = {},
): ReadonlyMap<string, string> {
  const { deviations = {}, layers = LAYERS, name } = subject;
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
        const known = deviation === undefined ? '' : ` does not hold: ${deviation}`;
        test(each.id + known, async () => {
          if (setup === undefined) throw new Error(`${name}: the set-up did not open`);
          const result = await judge(each, subject, setup, layer, options);
          if (!result.isExpected) throw toFailure(result);
        });
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
  test(`${name}: every deviation is of a case that there is`, async () => {
    if (unknown.length > 0) throw new Error(`no case is called ${unknown.join(', ')}`);
  });
  return unjudged;
}

/** With the seed, which brings back what was random. */
function toFailure({ error, seed, seen, why }: Result): Error {
  const message = `${why ?? seen ?? 'broken'} (seed ${seed})`;
  return new Error(message, error === undefined ? undefined : { cause: error });
}
