/**
 * Determines the state that a restore could get from a destination, from one listing and a few
 * headers.
 */

import { systemClock, type Clock } from '../../clock.ts';
import { isError, ReplicationError } from '../../error.ts';
import type { TXID } from '../../ltx/txid.ts';
import { readStoredChecksum } from '../../replica/file-checksum.ts';
import type { LTXFileInfo, ListFilesOptions, ReplicaFiles } from '../../replica/replica.ts';
import { listAll, ListedHeaders, type RestoreTarget, toPlanTarget } from './listing.ts';
import { InGapError } from './moment.ts';
import { planRestore, type RestorePlan } from './plan.ts';

/** The last file of a state, described by its own header. */
export interface NewestFile {
  readonly file: LTXFileInfo;
  readonly txid: bigint;
  /** 0 if unknown: Litestream's files, and files merged from several lineages. */
  readonly lineage: bigint;
  readonly at: Date;
}

/** One listing of a replica. */
export interface ListedFiles {
  readonly listed: readonly LTXFileInfo[];
  /** Those of this listing that were read. */
  readonly headers: ListedHeaders;
  readonly listedInMs: number;
}

export type Survey =
  /** The listing has no files. */
  | { readonly kind: 'empty' }
  | (ListedFiles & {
      readonly kind: 'restorable';
      readonly plan: RestorePlan;
      readonly newest: NewestFile;
    })
  /** There are files, but they do not lead to the target. */
  | (ListedFiles & {
      readonly kind: 'unusable';
      readonly error: ReplicationError;
      /** The newest of all files; undefined if it cannot be read either. */
      readonly newest: NewestFile | undefined;
      /** The last state before the gap, if the target is a time in a gap. */
      readonly beforeGap: NewestFile | undefined;
    });

/** Errors are those of the destination: it could not be read. */
export async function surveyReplica(
  client: ReplicaFiles,
  target: RestoreTarget,
  signal?: AbortSignal,
  generations?: ListFilesOptions['generations'],
  clock: Clock = systemClock,
): Promise<Survey> {
  const startedAt = clock.monotonic();
  const listed = await listUnlessNew(client, signal, generations);
  if (listed.length === 0) return { kind: 'empty' };
  const headers = new ListedHeaders(client);
  const files = { listed, headers, listedInMs: clock.monotonic() - startedAt };
  try {
    const found = await toPlanTarget(listed, target, (file) => headers.read(file, signal));
    const isAvoided = (file: LTXFileInfo): boolean => found.unreadable.has(file);
    const plan = planRestore(listed, found.target, { moment: found.moment, isAvoided });
    const newest = await readNewest(headers, listed, plan.txid, signal);
    return { kind: 'restorable', plan, newest, ...files };
  } catch (error) {
    if (!isContentError(error)) throw error;
    const newest = await readHighest(headers, listed, signal);
    const gap = [error, error.cause].find((each) => each instanceof InGapError);
    const beforeGap = gap && (await describeBefore(headers, gap, signal));
    return { kind: 'unusable', error, newest, beforeGap, ...files };
  }
}

/** A replica that was surveyed. */
export interface SurveyedReplica {
  readonly client: ReplicaFiles;
  readonly newest: NewestFile;
  readonly listed: readonly LTXFileInfo[];
}

/**
 * Whether the files of `whole` include the last file of `part`, by name, size and checksum: then
 * `whole` has once been in the state of `part`.
 */
export async function includesState(
  whole: SurveyedReplica,
  part: SurveyedReplica,
  signal?: AbortSignal,
): Promise<boolean> {
  const { file } = part.newest;
  const isEncrypted = [whole, part].some(({ client }) => client.encrypted !== undefined);
  const same = whole.listed.find(
    ({ level, minTXID, maxTXID, sizeBytes }) =>
      level === file.level &&
      minTXID === file.minTXID &&
      maxTXID === file.maxTXID &&
      (isEncrypted || sizeBytes === file.sizeBytes),
  );
  if (same === undefined) return false;
  const [a, b] = await Promise.all([
    readStoredChecksum(whole.client, same, signal),
    readStoredChecksum(part.client, file, signal),
  ]);
  return a.sizeBytes === b.sizeBytes && a.checksum === b.checksum;
}

/**
 * A folder that never existed counts as empty. A folder that vanished, or whose disk did, does not.
 */
async function listUnlessNew(
  client: ReplicaFiles,
  signal: AbortSignal | undefined,
  generations: ListFilesOptions['generations'],
): Promise<LTXFileInfo[]> {
  try {
    return await listAll(client, signal, generations);
  } catch (error) {
    if (isError(error, 'REPLICA_DESTINATION_NOT_FOUND') && error.isNew === true) return [];
    throw error;
  }
}

/**
 * Of the files that end with `txid`, the lowest level was written first and has the commit's time.
 */
async function readNewest(
  headers: ListedHeaders,
  listed: readonly LTXFileInfo[],
  txid: TXID,
  signal: AbortSignal | undefined,
): Promise<NewestFile> {
  const ends = listed.filter(({ maxTXID }) => maxTXID === txid);
  let failure: unknown;
  for (const file of ends.sort((a, b) => a.level - b.level)) {
    try {
      const { nodeID: lineage, timestampMs } = await headers.read(file, signal);
      return { file, txid, lineage, at: new Date(timestampMs) };
    } catch (error) {
      if (!isContentError(error)) throw error;
      failure ??= error;
    }
  }
  throw failure;
}

async function readHighest(
  headers: ListedHeaders,
  listed: readonly LTXFileInfo[],
  signal: AbortSignal | undefined,
): Promise<NewestFile | undefined> {
  const { maxTXID } = listed.reduce((a, b) => (b.maxTXID > a.maxTXID ? b : a));
  try {
    return await readNewest(headers, listed, maxTXID, signal);
  } catch (error) {
    if (isContentError(error)) return undefined;
    throw error;
  }
}

/** The search for the time has read this header before. */
async function describeBefore(
  headers: ListedHeaders,
  { before }: InGapError,
  signal: AbortSignal | undefined,
): Promise<NewestFile> {
  const { nodeID: lineage } = await headers.read(before.file, signal);
  return { ...before, lineage };
}

/** Whether the error is about the stored files, not about reaching the destination. */
function isContentError(error: unknown): error is ReplicationError {
  return isError(error) && /^(LTX|RESTORE)_/.test(error.code);
}
