/**
 * Determines the state that a restore could get from a destination, from one listing and a few
 * headers.
 */

import { isError, ReplicationError } from '../../error.ts';
import { readFileChecksum } from '../../ltx/file.ts';
import type { TXID } from '../../ltx/txid.ts';
import { rangesOf } from '../../replica/ranges.ts';
import type { LTXFileInfo, ListFilesOptions, ReplicaFiles } from '../../replica/replica.ts';
import { listAll, readHeader, type RestoreTarget, toPlanTarget } from './listing.ts';
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

export type Survey =
  /** The listing has no files. */
  | { readonly kind: 'empty' }
  | {
      readonly kind: 'restorable';
      readonly plan: RestorePlan;
      readonly newest: NewestFile;
      readonly listed: readonly LTXFileInfo[];
    }
  /** There are files, but they do not lead to the target. */
  | {
      readonly kind: 'unusable';
      readonly error: ReplicationError;
      /** The newest of all files; undefined if it cannot be read either. */
      readonly newest: NewestFile | undefined;
      /** The last state before the gap, if the target is a time in a gap. */
      readonly beforeGap: NewestFile | undefined;
      readonly listed: readonly LTXFileInfo[];
    };

/** Errors are those of the destination: it could not be read. */
export async function surveyReplica(
  client: ReplicaFiles,
  target: RestoreTarget,
  signal?: AbortSignal,
  generations?: ListFilesOptions['generations'],
): Promise<Survey> {
  const listed = await listUnlessNew(client, signal, generations);
  if (listed.length === 0) return { kind: 'empty' };
  try {
    const found = await toPlanTarget(listed, target, (file) => readHeader(client, file, signal));
    const isAvoided = (file: LTXFileInfo): boolean => found.unreadable.has(file);
    const plan = planRestore(listed, found.target, { moment: found.moment, isAvoided });
    const newest = await readNewest(client, listed, plan.txid, signal);
    return { kind: 'restorable', plan, newest, listed };
  } catch (error) {
    if (!isContentError(error)) throw error;
    const newest = await readHighest(client, listed, signal);
    const gap = [error, error.cause].find((each) => each instanceof InGapError);
    const beforeGap = gap && (await describeBefore(client, gap, signal));
    return { kind: 'unusable', error, newest, beforeGap, listed };
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
  const same = whole.listed.find(
    ({ level, minTXID, maxTXID, sizeBytes }) =>
      level === file.level &&
      minTXID === file.minTXID &&
      maxTXID === file.maxTXID &&
      sizeBytes === file.sizeBytes,
  );
  if (same === undefined) return false;
  const [a, b] = await Promise.all([
    readFileChecksum(rangesOf(whole.client, same, signal), same.sizeBytes),
    readFileChecksum(rangesOf(part.client, file, signal), file.sizeBytes),
  ]);
  return a === b;
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
  client: ReplicaFiles,
  listed: readonly LTXFileInfo[],
  txid: TXID,
  signal: AbortSignal | undefined,
): Promise<NewestFile> {
  const ends = listed.filter(({ maxTXID }) => maxTXID === txid);
  let failure: unknown;
  for (const file of ends.sort((a, b) => a.level - b.level)) {
    try {
      const { nodeID: lineage, timestampMs } = await readHeader(client, file, signal);
      return { file, txid, lineage, at: new Date(timestampMs) };
    } catch (error) {
      if (!isContentError(error)) throw error;
      failure ??= error;
    }
  }
  throw failure;
}

async function readHighest(
  client: ReplicaFiles,
  listed: readonly LTXFileInfo[],
  signal: AbortSignal | undefined,
): Promise<NewestFile | undefined> {
  const { maxTXID } = listed.reduce((a, b) => (b.maxTXID > a.maxTXID ? b : a));
  try {
    return await readNewest(client, listed, maxTXID, signal);
  } catch (error) {
    if (isContentError(error)) return undefined;
    throw error;
  }
}

/** The search for the time has read this header before. */
async function describeBefore(
  client: ReplicaFiles,
  { before }: InGapError,
  signal: AbortSignal | undefined,
): Promise<NewestFile> {
  const { nodeID: lineage } = await readHeader(client, before.file, signal);
  return { ...before, lineage };
}

/** Whether the error is about the stored files, not about reaching the destination. */
function isContentError(error: unknown): error is ReplicationError {
  return isError(error) && /^(LTX|RESTORE)_/.test(error.code);
}
