/**
 * Runs the kit (`@sluice/backend-test-kit`) in vitest: each case tests one promise of the contract, for
 * the bare client and for the client with core's wrappers.
 */

import { describeBackend, type Subject } from '@sluice/backend-test-kit';
import { afterAll, beforeAll, describe, test } from 'vitest';

export type { Hooks, Setup, Subject as Conformance } from '@sluice/backend-test-kit';

export function describeConformance(conformance: Subject): void {
  const seed = process.env['SLUICE_SEED'];
  const skipped = describeBackend(
    conformance,
    { describe, test, before: beforeAll, after: afterAll },
    seed === undefined ? {} : { seed: Number(seed) },
  );
  test(`${conformance.name}: skipped cases are listed`, ({ annotate, expect }) => {
    const ids = [...skipped.keys()];
    expect(ids).toEqual([...new Set(ids)]);
    return annotate(`skipped: ${ids.join(', ') || 'none'}`);
  });
}
