/** Restores the state that a drill examines from the LTX files of a destination. */

import type { Position } from '../database/continuity/position.ts';
import { systemClock } from '../clock.ts';
import { isError, ReplicationError } from '../error.ts';
import { systemFiles } from '../file-system.ts';
import { reachableTXIDs } from '../history/chain.ts';
import { HEADER_SIZE_BYTES } from '../ltx/header.ts';
import { formatTXID, type TXID } from '../ltx/txid.ts';
import { systemRandom, type Random } from '../random.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import { readHeader, toPlanTarget } from '../restore/plan/listing.ts';
import { planRestore, type RestorePlan } from '../restore/plan/plan.ts';
import type { RestoreSource } from '../restore/plan/sources.ts';
import { surveyReplica, type NewestFile } from '../restore/plan/survey.ts';
import { restore } from '../restore/restore.ts';
import { describeFile } from '../store/describe.ts';
import type { DrillOptions, Seen } from './drill.ts';
import type { LiveDatabase } from './examine.ts';
import { readPosition } from './live.ts';
import { requireRoom } from './room.ts';
import { requireOwn } from './sent.ts';
import { planWarm } from './warm/plan-warm.ts';
import { restoreWarm } from './warm/restore-warm.ts';

/** Each attempt restores as much as the first. */
const ATTEMPTS_MAX = 3;

/** What is at a destination, and the positions of the live database, read before and after the listing. */
interface Surveyed {
  readonly listed: readonly LTXFileInfo[];
  readonly positions: readonly Position[];
}

/**
 * Returns the positions of the live database. A drill may take hours, and retention may remove the state meanwhile,
 * unless it was asked for by its TXID: then a state of a new listing takes its place.
 */
export async function restoreLTX(
  open: Pick<RestoreSource, 'client' | 'capabilities'>,
  output: string,
  options: DrillOptions,
  seen: Seen,
): Promise<readonly Position[]> {
  const source = { name: options.name, ...open };
  let surveyed = await survey(source, options, seen);
  for (let attempt = 1; ; attempt++) {
    const { listed, positions } = surveyed;
    const txid = await findTXID(source, listed, options);
    const plan = planRestore(listed, { kind: 'txid', txid });
    try {
      seen.restored = await restorePlan({ source, output, listed, plan }, options);
      return positions;
    } catch (error) {
      options.signal.throwIfAborted();
      if (options.target.kind === 'txid' || attempt >= ATTEMPTS_MAX || !isMissing(error))
        throw error;
      surveyed = await survey(source, options, seen);
      const left = new Set(surveyed.listed.map(describeFile));
      if (plan.files.every((file) => left.has(describeFile(file)))) throw error;
    }
  }
}

/** Of a file, or of a state after a new listing. */
function isMissing(error: unknown): boolean {
  const codes = ['REPLICA_NOT_FOUND', 'RESTORE_OUT_OF_RANGE', 'RESTORE_GAP'] as const;
  return codes.some((code) => isError(error, code));
}

async function survey(source: RestoreSource, options: DrillOptions, seen: Seen): Promise<Surveyed> {
  const { name, sent, live, clock = systemClock } = options;
  const before = await positionOf(live);
  const { listed, newest } = await list(source, options);
  const positions = [before, await positionOf(live)].filter((each) => each !== undefined);
  seen.listed = { atMs: clock.now(), files: listed.length, newest };
  requireOwn(name, newest, { sent, positions });
  return { listed, positions };
}

interface PlannedRestore {
  readonly source: RestoreSource;
  readonly output: string;
  readonly listed: readonly LTXFileInfo[];
  readonly plan: RestorePlan;
}

async function restorePlan(
  { source, output, listed, plan }: PlannedRestore,
  options: DrillOptions,
): Promise<NonNullable<Seen['restored']>> {
  const { folder, scratchBytesMax, usable = 'all', onProgress, signal } = options;
  const { clock = systemClock, files = systemFiles } = options;
  const { txid } = plan;
  const last = plan.files.at(-1) as LTXFileInfo;
  const header = await readHeader(source.client, last, signal);
  const databaseBytes = header.commit * header.pageSize;
  const presentBytes = options.base?.sizeBytes ?? 0;
  await requireRoom({ folder, scratchBytesMax, usable, presentBytes, files }, databaseBytes);
  const state = { txid, lineage: header.nodeID };
  const seenState = { state, generation: undefined, position: undefined };

  if (options.base !== undefined) {
    const { base } = options;
    const steps = planWarm({ listed, base, newest: state, fullBytes: plan.sizeBytes });
    const read = await restoreWarm({ source, base, files: steps, onProgress, signal });
    return {
      ...read,
      ...seenState,
      txid: formatTXID(txid),
      timestamp: new Date(header.timestampMs).toISOString(),
      avoided: [],
      databaseBytes,
      pageSize: header.pageSize,
    };
  }

  const report = await restore({
    sources: [{ ...source, listed }],
    output,
    target: { kind: 'txid', txid },
    cache: 'keep', // the drill examines it
    onProgress,
    signal,
    clock,
  });
  return { ...report, ...seenState, databaseBytes: report.commit * report.pageSize };
}

/** A listing that is newer than this position, or just older, has its TXID. */
async function positionOf(live: LiveDatabase | undefined): Promise<Position | undefined> {
  try {
    return live && (await readPosition(live.metaPath));
  } catch {
    return undefined; // the comparison reads it again, and says why it cannot
  }
}

/** The newest state must be restorable, whichever state is restored. */
async function list(
  { client }: RestoreSource,
  { name, sent, signal }: DrillOptions,
): Promise<{ listed: readonly LTXFileInfo[]; newest: NewestFile }> {
  const survey = await surveyReplica(client, { kind: 'latest' }, signal);
  if (survey.kind === 'restorable') return survey;
  if (survey.kind === 'unusable') throw survey.error;
  const message =
    sent === undefined
      ? `there is no backup at ${name}: there are no LTX files; replicate to it first`
      : `${name} is empty, but TXID ${formatTXID(sent.txid)} was sent there: mount its disk, or correct its ` +
        'path; if its files were deleted, restart the replicator, which sends a full snapshot';
  throw new ReplicationError('RESTORE_NO_SNAPSHOT', message);
}

async function findTXID(
  { client }: RestoreSource,
  listed: readonly LTXFileInfo[],
  { target, random = systemRandom, signal }: DrillOptions,
): Promise<TXID> {
  if (target.kind === 'random') return pickTXID(listed, random);
  const found = await toPlanTarget(listed, target, (file) => readHeader(client, file, signal));
  return found.target.kind === 'txid' ? found.target.txid : planRestore(listed, found.target).txid;
}

/** One of the states that can be restored; there is at least one. */
export function pickTXID(listed: readonly LTXFileInfo[], random: Random): TXID {
  const usable = listed.filter(({ sizeBytes }) => sizeBytes >= HEADER_SIZE_BYTES);
  const states = reachableTXIDs(usable);
  return states[Math.floor(random.fraction() * states.length)] as TXID;
}
