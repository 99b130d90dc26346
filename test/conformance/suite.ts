/**
 * The kit (`@sluice/backend-test-kit`) under vitest: each case judges one promise of the contract,
 * over the bare destination and over the wrapped one, as the engine uses it.
 */

import { describeBackend, type Subject } from '@sluice/backend-test-kit';
import { afterAll, beforeAll, describe, test } from 'vitest';

export type { Hooks, Setup, Subject as Conformance } from '@sluice/backend-test-kit';

export function describeConformance(conformance: Subject): void {
  const seed = process.env['SLUICE_SEED'];
  const unjudged = describeBackend(
    conformance,
    { describe, test, before: beforeAll, after: afterAll },
    seed === undefined ? {} : { seed: Number(seed) },
  );
  test(`${conformance.name}: what is not judged is known`, ({ annotate, expect }) => {
    const ids = [...unjudged.keys()];
    expect(ids).toEqual([...new Set(ids)]);
    return annotate(`not judged: ${ids.join(', ') || 'nothing'}`);
  });
}
