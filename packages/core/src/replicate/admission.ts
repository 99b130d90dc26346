/**
 * What the first listing of a destination says about going on there: proof (d) of continuity. Pure.
 *
 * A destination goes on where it ends with exactly what we recorded as sent there, or with a file
 * that still is staged, and has nothing above that at any level: another writer may have continued
 * it within the same WAL cycle.
 */

import { highestOf, topOf, type Manifest } from './manifest.ts';

/** What was sent to a destination last, as it was recorded there and then. */
export interface SentRecord {
  readonly txid: bigint;
  readonly sizeBytes: number;
  /** File checksum, 16 hex digits: the last 8 bytes of the file. */
  readonly checksum: string;
}

/** The newest level-0 file at the destination, with the checksum that was read from its end. */
export interface FoundTop {
  readonly txid: bigint;
  readonly sizeBytes: number;
  readonly checksum: string;
}

export type Chain =
  /** Everything up to its top is what we sent: increments may follow. */
  | 'ours'
  /** Nothing is there. */
  | 'empty'
  /** An image was begun here, and its staged files were freed before it was whole: only another may follow. */
  | 'half-seeded'
  /** Somebody else's, or not provably ours: only an image may follow. */
  | 'foreign';

export interface AdmissionInput {
  readonly manifest: Manifest;
  readonly top: FoundTop | undefined;
  readonly record: SentRecord | undefined;
  /** The staged file of the same TXID, if there is one. */
  readonly staged: SentRecord | undefined;
}

export function admit(input: AdmissionInput): Chain {
  const { manifest, top } = input;
  const highest = highestOf(manifest);
  if (highest === 0n) return 'empty';
  if (top === undefined || top.txid !== highest || topOf(manifest, 0) !== highest) return 'foreign';
  const known = [input.record, input.staged].some(
    (sent) =>
      sent !== undefined &&
      sent.txid === top.txid &&
      sent.sizeBytes === top.sizeBytes &&
      sent.checksum === top.checksum,
  );
  return known ? 'ours' : 'foreign';
}
