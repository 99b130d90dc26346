/** A case: one promise of the contract, how it is judged, and what that needs. */

import type { CaseContext } from './context.ts';
import type { Hooks, Layer, Subject } from './subject.ts';

export type Need =
  | 'ranges'
  | 'conditions'
  | 'noConditions'
  | 'versions'
  | 'sizeMax'
  | 'copy'
  | 'folders'
  | 'configuration'
  | keyof Hooks;

export interface Case {
  /** Of the promise, and stable: "write/source-fails". */
  readonly id: string;
  /** The promise, in one sentence. */
  readonly says: string;
  readonly needs?: readonly Need[];
  /** The largest file that it writes. Default SIZE_BYTES_USUAL. */
  readonly sizeBytes?: number | ((subject: Subject) => number);
  /** Default: both. */
  readonly layers?: readonly Layer[];
  readonly run: (context: CaseContext) => Promise<void>;
}

/** What the cases write at most, where they do not say otherwise. */
const SIZE_BYTES_USUAL = 300_000;

/** Thrown by a case that finds out as it runs that there is nothing to judge. */
export class NotJudged extends Error {}

/** Why a case cannot be judged, or undefined if it can. */
export function whyNotJudged(each: Case, subject: Subject, layer: Layer): string | undefined {
  if (each.layers !== undefined && !each.layers.includes(layer)) {
    return `it is a matter of the ${each.layers.join(' and ')} client`;
  }
  const { sizeBytes = SIZE_BYTES_USUAL } = each;
  const largest = typeof sizeBytes === 'number' ? sizeBytes : sizeBytes(subject);
  if (largest > (subject.capabilities.sizeMax ?? largest)) {
    return `it writes ${largest} bytes, more than the sizeMax that is claimed`;
  }
  for (const need of each.needs ?? []) {
    const why = whatIsMissing(need, subject, layer);
    if (why !== undefined) return why;
  }
  return undefined;
}

/** Core emulates ranges; everything else that is not claimed is not there. */
function whatIsMissing(need: Need, subject: Subject, layer: Layer): string | undefined {
  const { capabilities, hooks } = subject;
  const hasConditions = capabilities.conditions !== undefined;
  switch (need) {
    case 'ranges':
      return when(capabilities.ranges === true || layer === 'wrapped', 'ranges are not claimed');
    case 'conditions':
      return when(hasConditions, 'conditions are not claimed');
    case 'noConditions':
      return when(!hasConditions, 'conditions are claimed');
    case 'versions':
      return when(capabilities.versions === true, 'versions are not claimed');
    case 'sizeMax':
      return when(capabilities.sizeMax !== undefined, 'no sizeMax is claimed');
    case 'copy':
      return when(subject.copy !== 'not-claimed', 'copy is not claimed');
    case 'folders':
      return when(capabilities.folders === true, 'folders are not claimed');
    case 'configuration':
      return when(subject.configuration !== undefined, 'the subject has no configuration');
    case 'raw':
    case 'vanish':
    case 'denied':
    case 'unreachable':
    case 'silent':
    case 'cuttable':
    case 'handles':
    case 'elsewhere':
      return when(hooks.includes(need), `the set-up has no hook "${need}"`);
  }
}

function when(isThere: boolean, why: string): string | undefined {
  return isThere ? undefined : why;
}
