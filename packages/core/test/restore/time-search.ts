/** Runs the search for a timestamp without a destination. */

import type { LTXFileInfo } from '../../src/replica/replica.ts';
import type { TimeSearch } from '../../src/restore/plan/moment.ts';

/** Runs a search with times that are already known. */
export function runTimeSearch<File extends LTXFileInfo, Result>(
  search: TimeSearch<File, Result>,
  timeOf: (file: File) => Date,
): Result {
  let step = search.next();
  while (step.done !== true) step = search.next(step.value.map(timeOf));
  return step.value;
}
