/** Where the round of a destination stands, and the damage that is known there. Pure, except for the clock. */

import {
  isSuperseded,
  scrubNameOf,
  systemClock,
  type DamagedObject,
  type ScrubRecord,
  type ScrubSlice,
} from '@sluice/core';
import { formatTXID } from '@sluice/core/ltx';
import type { ScrubJob } from './jobs.ts';

/** How often to look whether a full snapshot has made a damaged file unimportant. One listing each. */
const RECHECK_MS = 60_000;

/** Why a destination does not have what was sent there. */
export function describeGone(highest: bigint, sent: bigint): string {
  const end = highest === 0n ? 'there are no files' : `it ends with TXID ${formatTXID(highest)}`;
  return (
    `${end}, but TXID ${formatTXID(sent)} was sent there: files were deleted, or an older copy was put back; the ` +
    'replicator sends a full snapshot when it lists the destination again'
  );
}

/** The damaged files that are not known yet. */
export function newlyDamaged(
  known: readonly DamagedObject[],
  damaged: ScrubSlice['damaged'],
): DamagedObject[] {
  const at = new Date(systemClock.now()).toISOString();
  return damaged
    .map(({ file, code, why }) => ({ object: scrubNameOf(file), code, why, at }))
    .filter(({ object }) => !known.some((each) => each.object === object));
}

export function beginRound({ destination: { name, target }, record }: ScrubJob): ScrubRecord {
  return {
    name,
    target,
    startedAt: new Date(systemClock.now()).toISOString(),
    objects: 0,
    bytes: 0,
    completedAt: record?.completedAt,
    lastSuccessAt: record?.lastSuccessAt,
    damaged: record?.damaged ?? [],
    mended: record?.mended ?? 0,
  };
}

/** Damage was found before the first round: there must be a record of it, and the round is due now. */
export function beginFirstRound(job: ScrubJob): void {
  const startedAt = new Date(systemClock.now() - job.settings.everyMs).toISOString();
  job.record = { ...beginRound(job), startedAt };
  job.dueMs = systemClock.monotonic();
}

export function afterSlice(
  record: ScrubRecord,
  { cursor, objects, bytes }: ScrubSlice,
): ScrubRecord {
  return { ...record, cursor, objects: record.objects + objects, bytes: record.bytes + bytes };
}

export function setDamaged(job: ScrubJob, damaged: readonly DamagedObject[]): void {
  if (job.record === undefined) return;
  const mended = job.record.mended + Math.max(0, job.record.damaged.length - damaged.length);
  job.record = { ...job.record, damaged, mended };
}

/** Whether no later full snapshot is there. */
export function isSnapshotNeeded({ record }: ScrubJob, listed: ScrubSlice['listed']): boolean {
  const current = (record?.damaged ?? []).filter(isCurrent);
  return current.some(({ object }) => !isSuperseded(object, -Infinity, listed));
}

/** Whether the newest state may depend on it. */
export function isCurrent({ superseded }: DamagedObject): boolean {
  return superseded !== true;
}

export function isRoundDue({ record, settings }: ScrubJob): boolean {
  return record?.cursor !== undefined || elapsedMs(record) >= settings.everyMs;
}

/** Until the next round, or the next look at what is damaged. */
export function remainingMs({ record, settings }: ScrubJob): number {
  const untilRound = Math.max(0, settings.everyMs - elapsedMs(record));
  return record?.damaged.some(isCurrent) === true ? Math.min(untilRound, RECHECK_MS) : untilRound;
}

/** Since the start of the last round. A start in the future is not believed: the clock was set back. */
function elapsedMs(record: ScrubRecord | undefined): number {
  if (record === undefined) return Infinity;
  const ms = systemClock.now() - Date.parse(record.startedAt);
  return ms < 0 ? Infinity : ms;
}
