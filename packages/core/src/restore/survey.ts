/** What one destination offers to a restore, before anything is read but a listing and one header. */

import { isError, type ReplicationError } from '../error.ts';
import { FILE_CHECKSUM_SIZE_BYTES } from '../ltx/trailer.ts';
import type { TXID } from '../ltx/txid.ts';
import type { SignalOptions, LTXFileInfo, ReplicaFiles } from '../replica/replica.ts';
import { readBytes } from '../store/body.ts';
import { listAll, readHeader, toPlanTarget, type RestoreTarget } from './listing.ts';
import { planRestore, type RestorePlan } from './plan.ts';

/** The file that a state ends with, as its own header tells of it. */
export interface NewestFile {
  readonly file: LTXFileInfo;
  readonly txid: bigint;
  /** 0 where unknown: Litestream's files, and merges over several lineages. */
  readonly lineage: bigint;
  readonly at: Date;
}

export type Survey =
  /** Not one file is listed. */
  | { readonly kind: 'empty' }
  | {
      readonly kind: 'restorable';
      readonly plan: RestorePlan;
      readonly newest: NewestFile;
      readonly listed: readonly LTXFileInfo[];
    }
  /** There are files, and they do not lead to the target. */
  | {
      readonly kind: 'unusable';
      readonly error: ReplicationError;
      /** Of all files; undefined where it cannot be read either. */
      readonly newest: NewestFile | undefined;
      readonly listed: readonly LTXFileInfo[];
    };

/** Errors are those of the destination: then it has not answered. */
export async function surveyReplica(
  client: ReplicaFiles,
  target: RestoreTarget,
  signal?: AbortSignal,
): Promise<Survey> {
  const listed = await listUnlessNew(client, signal);
  if (listed.length === 0) return { kind: 'empty' };
  try {
    const { target: state, doubt } = await toPlanTarget(client, listed, target, signal);
    const plan = planRestore(listed, state, { doubt });
    const newest = await readNewest(client, listed, plan.txid, signal);
    return { kind: 'restorable', plan, newest, listed };
  } catch (error) {
    if (!isOfContent(error)) throw error;
    return { kind: 'unusable', error, newest: await readHighest(client, listed, signal), listed };
  }
}

/** A replica that was surveyed, and where to read its files. */
export interface Surveyed {
  readonly client: ReplicaFiles;
  readonly newest: NewestFile;
  readonly listed: readonly LTXFileInfo[];
}

/**
 * Whether the files at `whole` include the one that `part` ends with, by name, size and checksum:
 * then `whole` has been in the state in which `part` is.
 */
export async function includes(
  whole: Surveyed,
  part: Surveyed,
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
    readChecksum(whole.client, same, signal),
    readChecksum(part.client, file, signal),
  ]);
  return a === b;
}

/** A folder that was never made is empty. One that is gone, or whose disk is, is not. */
async function listUnlessNew(
  client: ReplicaFiles,
  signal: AbortSignal | undefined,
): Promise<LTXFileInfo[]> {
  try {
    return await listAll(client, signal);
  } catch (error) {
    if (isError(error, 'REPLICA_DESTINATION_NOT_FOUND') && error.isNew === true) return [];
    throw error;
  }
}

/** Of the files that end with `txid`: the lowest level is written first, and bears the time of the commit. */
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
      if (!isOfContent(error)) throw error;
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
    if (isOfContent(error)) return undefined;
    throw error;
  }
}

async function readChecksum(
  client: ReplicaFiles,
  file: LTXFileInfo,
  signal: AbortSignal | undefined,
): Promise<string> {
  const range = { start: file.sizeBytes - FILE_CHECKSUM_SIZE_BYTES, end: file.sizeBytes };
  const { body } = await client.openFile(file, { range, signal });
  return Buffer.from(await readBytes(body, FILE_CHECKSUM_SIZE_BYTES)).toString('hex');
}

/** About what is stored, not about whether it could be asked for. */
function isOfContent(error: unknown): error is ReplicationError {
  return isError(error) && /^(LTX|RESTORE)_/.test(error.code);
}
