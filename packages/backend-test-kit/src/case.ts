/** A case: one promise of the contract, the code that tests it, and the features it requires. */

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
  /** Stable ID of the promise, for example "write/source-fails". */
  readonly id: string;
  /** One sentence. */
  readonly promise: string;
  readonly needs?: readonly Need[];
  /** Size of the largest file the case writes. Default: SIZE_BYTES_USUAL. */
  readonly sizeBytes?: number | ((subject: Subject) => number);
  /** Default: both. */
  readonly layers?: readonly Layer[];
  readonly run: (context: CaseContext) => Promise<void>;
}

/** Size of the largest file that most cases write. */
const SIZE_BYTES_USUAL = 300_000;

/** Thrown by a case that finds nothing to test while it runs. */
export class NotTested extends Error {}

/** The reason why a case cannot run, or undefined if it can. */
export function whyNotTested(testCase: Case, subject: Subject, layer: Layer): string | undefined {
  if (testCase.layers !== undefined && !testCase.layers.includes(layer)) {
    return `applies only to the ${testCase.layers.join(' and ')} client`;
  }
  const { sizeBytes = SIZE_BYTES_USUAL } = testCase;
  const largest = typeof sizeBytes === 'number' ? sizeBytes : sizeBytes(subject);
  if (largest > (subject.capabilities.sizeMax ?? largest)) {
    return `writes ${largest} bytes, more than the claimed sizeMax`;
  }
  for (const need of testCase.needs ?? []) {
    const reason = whyMissing(need, subject, layer);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** The wrapped layer always has ranges, because core emulates them. */
function whyMissing(need: Need, subject: Subject, layer: Layer): string | undefined {
  const { capabilities, hooks } = subject;
  const hasConditions = capabilities.conditions !== undefined;
  switch (need) {
    case 'ranges':
      return unless(capabilities.ranges === true || layer === 'wrapped', 'ranges are not claimed');
    case 'conditions':
      return unless(hasConditions, 'conditions are not claimed');
    case 'noConditions':
      return unless(!hasConditions, 'conditions are claimed');
    case 'versions':
      return unless(capabilities.versions === true, 'versions are not claimed');
    case 'sizeMax':
      return unless(capabilities.sizeMax !== undefined, 'no sizeMax is claimed');
    case 'copy':
      return unless(subject.copy !== 'not-claimed', 'copy is not claimed');
    case 'folders':
      return unless(capabilities.folders === true, 'folders are not claimed');
    case 'configuration':
      return unless(subject.configuration !== undefined, 'the subject has no configuration');
    case 'raw':
    case 'vanish':
    case 'denied':
    case 'unreachable':
    case 'silent':
    case 'cuttable':
    case 'handles':
    case 'otherProcess':
      return unless(hooks.includes(need), `the setup has no hook "${need}"`);
  }
}

function unless(isAvailable: boolean, reason: string): string | undefined {
  return isAvailable ? undefined : reason;
}
