/** Promises that a server is known to break. */

import type { Layer, Subject } from './subject.ts';

export interface Deviation {
  readonly reason: string;
  /** With `always`, the case must fail. With `sometimes` (a race in the server), it may pass. */
  readonly fails: 'always' | 'sometimes';
}

/** The known deviation of a case at a layer. A string is the reason of a case that always fails. */
export function deviationOf(id: string, layer: Layer, subject: Subject): Deviation | undefined {
  const known = subject.deviations?.[id] ?? subject.deviations?.[`${id} (${layer})`];
  return typeof known === 'string' ? { reason: known, fails: 'always' } : known;
}
