/**
 * What the listing of a destination says about going on there: proof (d) of continuity. Pure.
 *
 * Increments go on where the destination ends with exactly what we recorded as sent there, or with a
 * file that still is staged; where nothing lies above that at any level, since another writer may
 * have continued it within the same WAL cycle; and where that newest state can be restored from what
 * is listed. Anything else gets a full snapshot.
 */

import { reachOf } from '../../history/chain.ts';
import { formatTXID, toTXID } from '../../ltx/txid.ts';
import type { FileSet } from '../../replica/file-set.ts';

/** A level-0 file of one TXID, as it was sent, is staged, or was found at a destination. */
export interface SentRecord {
  readonly txid: bigint;
  readonly sizeBytes: number;
  /** File checksum, 16 hex digits: the last 8 bytes of the file. */
  readonly checksum: string;
  /** The run of images and increments that it belongs to; 0n where that is not known. */
  readonly lineage: bigint;
}

export type Chain =
  /** It ends with what we sent, and its newest state can be restored: increments may follow. */
  | 'ours'
  /** Nothing is there. */
  | 'empty'
  /** What we sent there is not all there any more: only a full snapshot mends it. */
  | 'damaged'
  /** An image was begun here, and its staged files were freed before it was whole: only another may follow. */
  | 'half-seeded'
  /** Somebody else's, or not provably ours: only an image may follow. */
  | 'foreign';

export interface Admission {
  readonly chain: Chain;
  /** Of the file that it ends with, where that is ours; else 0n. */
  readonly lineage: bigint;
  /** What is wrong with it, for people; undefined where nothing is. */
  readonly why: string | undefined;
}

export interface AdmissionInput {
  readonly files: FileSet;
  /** The newest level-0 file that is listed, with what was read from its ends. */
  readonly top: SentRecord | undefined;
  /** What was recorded as sent there last. */
  readonly record: SentRecord | undefined;
  /** The staged file of the same TXID as `top`, if there is one. */
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
    const why = `it ends with ${nameOf(highest)}, but that file is not the one that was sent there`;
    return { chain: 'foreign', lineage, why };
  }
  const why = describeDamage(files);
  return { chain: why === undefined ? 'ours' : 'damaged', lineage, why };
}

/** Why the newest state of these files cannot be restored; undefined where it can. */
export function describeDamage(files: FileSet): string | undefined {
  const { reached, missing } = reachOf(files.levels);
  if (missing === undefined) return undefined;
  if (reached === 0n)
    return `its full snapshot is missing: no file there starts with ${nameOf(1n)}`;
  const { from, to } = missing;
  const which = from === to ? nameOf(from) : `${nameOf(from)} to ${formatTXID(toTXID(to))}`;
  return `${which} is missing after ${formatTXID(toTXID(reached))}`;
}

/** Whether everything ends with `top`, and that is a file of ours of the running history. */
function isOurs(top: SentRecord, { files, record, staged, newest }: AdmissionInput): boolean {
  if (top.txid !== files.highest || files.topOf(0) !== top.txid) return false;
  const isKnown = [record, staged].some(
    (sent) =>
      sent !== undefined &&
      sent.txid === top.txid &&
      sent.sizeBytes === top.sizeBytes &&
      sent.checksum === top.checksum &&
      (sent.lineage === top.lineage || sent.lineage === 0n),
  );
  // What lies below the newest staged file may be of the history before: its next file will tell.
  return (
    isKnown && (newest === undefined || top.txid < newest.txid || top.lineage === newest.lineage)
  );
}

function nameOf(txid: bigint): string {
  return `TXID ${formatTXID(toTXID(txid))}`;
}

// --- the state of a destination, derived from facts and stored nowhere else; pure ---

export type DestinationState =
  /** Not known yet, or something unexpected was seen there: it is listed before anything is sent. */
  | 'listing'
  /** A full snapshot is on its way there, or is being made for it. */
  | 'seeding'
  /** Increments follow as they are staged. */
  | 'streaming'
  /** What was sent there is not all there any more; a full snapshot is on its way. */
  | 'damaged'
  /** The last try failed, of level 0 or of a snapshot; it will be tried again. */
  | 'failing'
  /** Nothing is sent any more. */
  | 'closed';

export interface DestinationFacts {
  readonly isClosed: boolean;
  /** A try failed, and nothing has shown since that it is over. */
  readonly hasFailed: boolean;
  /** undefined where it must be listed first. */
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
