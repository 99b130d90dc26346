/** Promises that a place is known not to keep. */

import type { Layer, Subject } from './subject.ts';

export interface Deviation {
  readonly reason: string;
  /** A case that fails `sometimes`, as in a race of the server's, may hold. One that fails `always` must not. */
  readonly fails: 'always' | 'sometimes';
}

/** What is known of a case at a layer, if anything is. A text is the reason of one that always fails. */
export function deviationOf(id: string, layer: Layer, subject: Subject): Deviation | undefined {
  const known = subject.deviations?.[id] ?? subject.deviations?.[`${id} (${layer})`];
  return typeof known === 'string' ? { reason: known, fails: 'always' } : known;
}
