/**
 * Reads the files of one destination whole, one after another in the order of their names, and verifies every byte.
 * A round reads each file once. It is cut into slices, and continues after the last file that was read. A file
 * that is written behind the cursor is read in the next round.
 */

import { systemClock, type Clock } from '../clock.ts';
import { HEADER_SIZE_BYTES } from '../ltx/header.ts';
import { createKernel } from '../kernel/kernel.ts';
import { formatTXID } from '../ltx/txid.ts';
import type { LTXFileInfo, ReplicaFiles } from '../replica/replica.ts';
import { examine } from '../repair/examine.ts';
import { ReplicationError, type ErrorCode } from '../error.ts';
import type { EmptyRoot } from '../store/client.ts';
import type { LTXFileRef } from '../store/layout.ts';

/** What one slice of a round has read. */
export interface ScrubSlice {
  /** The last file that was read; undefined if the round is complete. */
  readonly cursor: string | undefined;
  readonly objects: number;
  readonly bytes: number;
  readonly damaged: readonly ScrubFinding[];
  readonly listed: readonly LTXFileInfo[];
}

/** A file that does not have its checksum or cannot be decoded: the code in docs/errors.md, and what was found. */
export interface ScrubFinding {
  readonly file: LTXFileRef;
  readonly code: string;
  readonly why: string;
}

export interface ScrubOptions {
  readonly client: ReplicaFiles;
  /** Continue after this file. */
  readonly cursor: string | undefined;
  /** Whether an empty folder may be a disk that is not mounted: then nothing was read, and no damage is gone. */
  readonly emptyRoot?: EmptyRoot | undefined;
  /** No file is begun later than this. At least one is read. */
  readonly sliceMs: number;
  readonly clock?: Clock | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rejects with the error of the destination, if a file cannot be read. Damage is a finding. */
export async function scrubSlice(options: ScrubOptions): Promise<ScrubSlice> {
  const { client, emptyRoot, sliceMs, clock = systemClock, signal } = options;
  const endMs = clock.monotonic() + sliceMs;
  const listed = await Array.fromAsync(client.listFiles('all', { emptyRoot, signal }));
  const kernel = createKernel();
  const damaged: ScrubFinding[] = [];
  let [cursor, objects, bytes] = [options.cursor, 0, 0];
  for (const file of inOrder(listed)) {
    const name = scrubNameOf(file);
    if (options.cursor !== undefined && name <= options.cursor) continue;
    if (objects > 0 && clock.monotonic() >= endMs)
      return { cursor, objects, bytes, damaged, listed };
    const found = await examine(client, file, { depth: 'whole', kernel, signal });
    if (found.kind === 'unread') {
      const message = `scrub ${name}: ${found.why}`;
      throw new ReplicationError(found.code as ErrorCode, message); // of an error that `examine` got
    }
    if (found.kind === 'bad') damaged.push({ file: refOf(file), code: found.code, why: found.why });
    if (found.kind !== 'gone') objects += 1;
    bytes += file.sizeBytes;
    cursor = name;
  }
  return { cursor: undefined, objects, bytes, damaged, listed };
}

/** As in a folder: "0/0000000000000001-0000000000000001.ltx". Names sort by level and TXID. */
export function scrubNameOf({ level, minTXID, maxTXID }: LTXFileRef): string {
  return `${level}/${formatTXID(minTXID)}-${formatTXID(maxTXID)}.ltx`;
}

/**
 * Whether the newest state no longer depends on a damaged file: it is gone, or a full snapshot with a higher TXID was
 * written after the damage was found.
 */
export function isSuperseded(
  name: string,
  foundMs: number,
  listed: readonly LTXFileInfo[],
): boolean {
  const file = listed.find((each) => scrubNameOf(each) === name);
  if (file === undefined) return true;
  return listed.some(
    ({ minTXID, maxTXID, sizeBytes, modifiedAt }) =>
      minTXID === 1n &&
      maxTXID > file.maxTXID &&
      sizeBytes >= HEADER_SIZE_BYTES &&
      modifiedAt.getTime() >= foundMs,
  );
}

function inOrder(files: readonly LTXFileInfo[]): LTXFileInfo[] {
  return files.toSorted((a, b) => (scrubNameOf(a) < scrubNameOf(b) ? -1 : 1));
}

function refOf({ level, minTXID, maxTXID }: LTXFileInfo): LTXFileRef {
  return { level, minTXID, maxTXID };
}
