/** Makes a restored file a warm copy, before it gets its name: see first-page.ts. */

import { isError, ReplicationError } from '../error.ts';
import { readFullySync, writeFullySync } from '../file-io.ts';
import type { FileSystem } from '../file-system.ts';
import type { LTXHeader } from '../ltx/header.ts';
import type { Random } from '../random.ts';
import { readStoredChecksum } from '../replica/file-checksum.ts';
import type { SourcedFile } from '../restore/plan/sources.ts';
import type { VerifiedOutput } from '../restore/options.ts';
import type { TargetState } from './change.ts';
import { changeCounterOf, modeOf, nextCounter, pageSizeOf, toCopyPage } from './first-page.ts';
import { marksOf, writePosition } from './position.ts';

/**
 * Records the state first. If the file never gets its name, another file has it or none: the next start
 * finds that it does not match the record.
 */
export async function makeFirstState(
  { descriptor, header, last }: VerifiedOutput,
  position: string,
  { files, random }: { readonly files: FileSystem; readonly random: Random },
  signal: AbortSignal,
): Promise<void> {
  const { pageSize, commit } = header;
  const source = new Uint8Array(pageSize);
  readFullySync(descriptor, source, 0);
  if (pageSizeOf(source) !== pageSize) {
    throw new ReplicationError(
      'RESTORE_INTEGRITY',
      `make a warm copy of TXID ${last.maxTXID}: its page 1 is not that of a SQLite database; ` +
        'an encrypted database cannot be followed: restore it without -f',
    );
  }
  const bits = Number(random.bits64() & 0xffff_ffffn);
  const counter = nextCounter(changeCounterOf(source), bits);
  const firstPage = toCopyPage(source, { counter, commit });
  writeFullySync(descriptor, firstPage, 0);
  const target = await toTarget(header, last, signal);
  const marks = marksOf(commit * pageSize, firstPage);
  const state = { ...target, marks, sourceMode: modeOf(source) };
  await writePosition(files, position, { kind: 'following', states: [state] });
}

/** The state that ends with this file. */
export async function toTarget(
  header: LTXHeader,
  last: SourcedFile,
  signal: AbortSignal,
): Promise<TargetState> {
  const { level, minTXID, maxTXID, sizeBytes } = last;
  const checksum = await readChecksum(last, signal);
  return {
    txid: maxTXID,
    lineage: header.nodeID,
    timestampMs: header.timestampMs,
    last: { level, minTXID, maxTXID, sizeBytes, checksum },
  };
}

/** Of no file: checksums have their highest bit set. */
export const CHECKSUM_UNKNOWN = 0n;

/** Retention may remove the file just now. Without its checksum, the copy is rebased in more cases. */
async function readChecksum(last: SourcedFile, signal: AbortSignal): Promise<bigint> {
  try {
    return (await readStoredChecksum(last.source.client, last, signal)).checksum;
  } catch (error) {
    if (!isError(error, 'REPLICA_NOT_FOUND') && !isError(error, 'REPLICA_CHANGED')) throw error;
    return CHECKSUM_UNKNOWN;
  }
}
