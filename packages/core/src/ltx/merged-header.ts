/**
 * Computes the header of a merged file (ltx-format section 5) and checks that the files may be
 * merged.
 *
 * Files, oldest first, may be merged if and only if: each starts at most one TXID after the end of
 * the previous one, and ends after it; all have the same page size; no two have known lineages
 * (node IDs) that differ; and the database is not empty after the last.
 */

import { ReplicationError } from '../error.ts';
import { formatFilename } from './filename.ts';
import { FLAG_NO_CHECKSUM, type LTXHeader } from './header.ts';

/**
 * LTX_NOT_CONTIGUOUS if the files do not follow each other, LTX_UNSUPPORTED for a database without
 * pages, which a NoChecksum file cannot hold.
 */
export function mergeHeaders(headers: readonly LTXHeader[]): LTXHeader {
  const first = headers[0];
  const last = headers.at(-1);
  if (first === undefined || last === undefined) {
    throw new ReplicationError('LTX_NOT_CONTIGUOUS', 'merge LTX files: there are no files');
  }
  for (const [i, next] of headers.entries()) {
    const previous = headers[i - 1];
    if (previous !== undefined) checkFollows(previous, next);
  }
  if (last.commit === 0) {
    throw new ReplicationError('LTX_UNSUPPORTED', `merge up to ${nameOf(last)}: no pages remain`);
  }
  return {
    flags: FLAG_NO_CHECKSUM,
    pageSize: first.pageSize,
    commit: last.commit,
    minTXID: first.minTXID,
    maxTXID: last.maxTXID,
    timestampMs: last.timestampMs,
    preApplyChecksum: 0n,
    walOffset: 0n,
    walSize: 0n,
    walSalt1: 0,
    walSalt2: 0,
    nodeID: lineageOf(headers),
  };
}

function checkFollows(previous: LTXHeader, next: LTXHeader): void {
  if (next.minTXID > previous.maxTXID + 1n)
    throw cannotMerge(previous, next, 'there are TXIDs missing between them');
  if (next.maxTXID <= previous.maxTXID)
    throw cannotMerge(previous, next, 'the second is not newer');
  if (next.pageSize !== previous.pageSize) {
    throw cannotMerge(
      previous,
      next,
      `page sizes ${previous.pageSize} and ${next.pageSize} differ`,
    );
  }
}

/** The lineage of all files; 0 (unknown) if it is unknown for one of them. */
function lineageOf(headers: readonly LTXHeader[]): bigint {
  const known = headers.filter(({ nodeID }) => nodeID !== 0n);
  const first = known[0];
  if (first === undefined) return 0n;
  const other = known.find(({ nodeID }) => nodeID !== first.nodeID);
  if (other !== undefined) throw cannotMerge(first, other, 'they belong to different histories');
  return known.length === headers.length ? first.nodeID : 0n;
}

function cannotMerge(previous: LTXHeader, next: LTXHeader, why: string): ReplicationError {
  return new ReplicationError(
    'LTX_NOT_CONTIGUOUS',
    `merge ${nameOf(previous)} and ${nameOf(next)}: ${why}`,
  );
}

function nameOf({ minTXID, maxTXID }: LTXHeader): string {
  return formatFilename(minTXID, maxTXID);
}
