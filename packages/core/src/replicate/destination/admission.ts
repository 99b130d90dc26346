/**
 * Decides from a listing whether increments may continue at a destination: proof (d) of continuity.
 * Pure.
 *
 * Increments continue if and only if
 *  - the newest file is exactly the one recorded as sent there, or a file that is still staged;
 *  - no level has a higher TXID (another writer may have continued within the same WAL cycle); and
 *  - the newest state can be restored from the listed files.
 * Otherwise the destination gets a full snapshot.
 */

import { reachOf } from '../../history/chain.ts';
import { LEVEL_SNAPSHOT } from '../../history/levels.ts';
import { formatTXID, toTXID } from '../../ltx/txid.ts';
import type { FileSet } from '../../replica/file-set.ts';

/** Identity of a file of level 0, or of a merged file: sent, staged, or found at a destination. */
export interface SentRecord {
  readonly txid: bigint;
  readonly sizeBytes: number;
  /** File checksum, 16 hex digits: the last 8 bytes of the file. */
  readonly checksum: string;
  /** ID of the history that the file belongs to: one image and the increments after it; 0n if unknown. */
  readonly lineage: bigint;
  /** Set for a merged file, which has this level and first TXID; otherwise it is a file of level 0. */
  readonly merged?: { readonly level: number; readonly minTXID: bigint } | undefined;
  /** TXID of the full snapshot with which this lineage began at the destination; undefined if that is not known. */
  readonly since?: bigint | undefined;
}

export type Chain =
  /** Its newest file is ours and its newest state can be restored: increments may follow. */
  | 'ours'
  /** It has no files. */
  | 'empty'
  /** Files that we sent are missing: only a full snapshot repairs it. */
  | 'damaged'
  /**
   * A seed was begun, but its staged files were freed before it was complete: only another image
   * may follow.
   */
  | 'half-seeded'
  /** Its files are not ours, or not provably ours: only an image may follow. */
  | 'foreign';

export interface Admission {
  readonly chain: Chain;
  /** Lineage of its newest file if that is ours; else 0n. */
  readonly lineage: bigint;
  /**
   * Merged files of this lineage up to this TXID do not fit: the destination may have got other states at
   * these TXIDs, and then a full snapshot. 0n if there are none.
   */
  readonly since?: bigint | undefined;
  /** Description of what is wrong; undefined if nothing is. */
  readonly why: string | undefined;
}

export interface AdmissionInput {
  readonly files: FileSet;
  /**
   * The newest listed file, with data from its header and trailer: of level 0, or a merged file if that
   * has a higher TXID (next.ts).
   */
  readonly top: SentRecord | undefined;
  /** The file recorded as last sent there. */
  readonly record: SentRecord | undefined;
  /** The staged file with the same TXID as `top`, if any. */
  readonly staged: SentRecord | undefined;
  /** The newest staged file. */
  readonly newest: Pick<SentRecord, 'txid' | 'lineage'> | undefined;
}

export function admit(input: AdmissionInput): Admission {
  const { files, top, record } = input;
  const { highest } = files;
  if (highest === 0n) {
    const why = record && `it is empty, but ${nameOf(record.txid)} was sent there`;
    return { chain: 'empty', lineage: 0n, why };
  }
  const ours = top !== undefined && isOurs(top, input) ? top : undefined;
  const lineage = ours?.lineage ?? 0n;
  if (record !== undefined && record.txid > highest) {
    const why =
      `it ends with ${nameOf(highest)}, but ${nameOf(record.txid)} was sent there: ` +
      'it was replaced by an older state, or files were deleted';
    return { chain: 'damaged', lineage, why };
  }
  if (ours === undefined) {
    const proof =
      record === undefined
        ? 'but the staging folder has no record of sending that file: either the staging folder is new, or another program wrote the file'
        : 'but that file is not the one that was sent there';
    const why = `it ends with ${nameOf(highest)}, ${proof}`;
    return { chain: 'foreign', lineage, why };
  }
  const why = describeDamage(files);
  if (why !== undefined) return { chain: 'damaged', lineage, why };
  return { chain: 'ours', lineage, since: sinceOf(input, lineage), why };
}

/** Without a record of the full snapshot it is at most the newest one. */
function sinceOf({ files, record }: AdmissionInput, lineage: bigint): bigint {
  const known = record?.lineage === lineage ? record.since : undefined;
  return known ?? files.topOf(LEVEL_SNAPSHOT);
}

/** Why the newest state of these files cannot be restored; undefined if it can. */
export function describeDamage(files: FileSet): string | undefined {
  const { reached, missing } = reachOf(files.levels);
  if (missing === undefined) return undefined;
  if (reached === 0n)
    return `its full snapshot is missing: no file there starts with ${nameOf(1n)}`;
  const { from, to } = missing;
  const which = from === to ? nameOf(from) : `${nameOf(from)} to ${formatTXID(toTXID(to))}`;
  return `${which} is missing after ${formatTXID(toTXID(reached))}`;
}

/** Whether `top` is the newest file at all levels and is our file of the current lineage. */
function isOurs(top: SentRecord, { files, record, staged, newest }: AdmissionInput): boolean {
  const { merged } = top;
  if (top.txid !== files.highest || files.topOf(merged?.level ?? 0) !== top.txid) return false;
  const isKnown = [record, staged].some(
    (sent) =>
      sent !== undefined &&
      sent.txid === top.txid &&
      sent.merged?.level === merged?.level &&
      sent.merged?.minTXID === merged?.minTXID &&
      sent.sizeBytes === top.sizeBytes &&
      sent.checksum === top.checksum &&
      (sent.lineage === top.lineage || sent.lineage === 0n),
  );
  // A file below the newest staged one may belong to the previous lineage; `nextStep` checks the next file.
  return (
    isKnown && (newest === undefined || top.txid < newest.txid || top.lineage === newest.lineage)
  );
}

function nameOf(txid: bigint): string {
  return `TXID ${formatTXID(toTXID(txid))}`;
}

// --- the state of a destination, derived from facts and not stored; pure ---

export type DestinationState =
  /** Not listed yet, or an unexpected answer came back: it is listed before anything is sent. */
  | 'listing'
  /** A full snapshot is being sent to it or made for it. */
  | 'seeding'
  /** Increments are sent as they are staged. */
  | 'streaming'
  /** Files that were sent there are missing; a full snapshot will be sent. */
  | 'damaged'
  /** The last try to send level 0 or a snapshot failed; it will be retried. */
  | 'failing'
  /** Nothing more is sent. */
  | 'closed';

export interface DestinationFacts {
  readonly isClosed: boolean;
  /** A try failed, and no later success has cleared it. */
  readonly hasFailed: boolean;
  /** undefined if it must be listed first. */
  readonly chain: Chain | undefined;
  readonly isSeeding: boolean;
}

export function stateOf({
  isClosed,
  hasFailed,
  chain,
  isSeeding,
}: DestinationFacts): DestinationState {
  if (isClosed) return 'closed';
  if (hasFailed) return 'failing';
  if (chain === undefined) return 'listing';
  if (chain === 'damaged') return 'damaged';
  return chain === 'ours' && !isSeeding ? 'streaming' : 'seeding';
}
