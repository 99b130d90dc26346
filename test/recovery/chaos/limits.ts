/** Limits of a chaos run: requests, staging and memory. Pure. */

import { faultyMs, type Fault } from './schedule.ts';

/** Settings of the replicator. */
export const SETTINGS = {
  syncIntervalMs: 1_000,
  levelsMs: [5_000, 30_000, 300_000],
  snapshotIntervalMs: 60_000,
} as const;

/** More than is staged in the longest fault. */
export const STAGING_BYTES_MAX: number = 64 * 1024 * 1024;
/** Of one process with three destinations and their SDKs. */
export const RESIDENT_BYTES_MAX: number = 300 * 1024 * 1024;
/** Files that are sent at once before the sync interval holds. */
const BURST_FILES = 10;
/** A full snapshot at level 0 and level 9, and a file that closes the gap before it. */
const SNAPSHOT_WRITES = 3;
/** The owner object and its check, at a start. */
const START_WRITES = 4;
/** Attempts of a call, and of the uploader until its pauses are long. */
const FAULT_WRITES = 10;
/** Later attempts during a fault. */
const FAULT_WRITES_PER_SECOND = 1;

export interface Effort {
  readonly runMs: number;
  readonly starts: number;
  /** Calls of durable(), each of which may cut a file. */
  readonly acknowledgements: number;
  readonly faults: readonly Fault[];
}

/** Maximum number of writes at a destination: its files, and retries with pauses. */
export function writesMax(effort: Effort, destination: number): number {
  const { runMs, starts, acknowledgements, faults } = effort;
  const own = faults.filter((fault) => fault.destination === destination);
  const cuts = runMs / SETTINGS.syncIntervalMs + starts * BURST_FILES + acknowledgements;
  const merges = SETTINGS.levelsMs.reduce((sum, ms) => sum + runMs / ms + starts, 0);
  // A start, or a fault in which staging becomes full, may need one too.
  const snapshots = runMs / SETTINGS.snapshotIntervalMs + starts + own.length;
  const retries =
    own.length * FAULT_WRITES + (faultyMs(own, destination) / 1_000) * FAULT_WRITES_PER_SECOND;
  return Math.ceil(cuts + merges + snapshots * SNAPSHOT_WRITES + starts * START_WRITES + retries);
}

export interface Measured {
  /** Setting `staging-max-bytes`. */
  readonly stagingBytesMax: number;
  readonly writes: readonly { readonly name: string; readonly count: number }[];
  readonly stagedBytesMax: number;
  readonly residentBytesMax: number;
}

/** The limits that were exceeded. */
export function exceeded({ writes, ...measured }: Measured, effort: Effort): string[] {
  const found: string[] = [];
  for (const [destination, { name, count }] of writes.entries()) {
    const most = writesMax(effort, destination);
    if (count > most) found.push(`${name}: ${count} writes, at most ${most} are explained`);
  }
  const limits = [
    ['staged files', measured.stagedBytesMax, measured.stagingBytesMax],
    ['resident memory', measured.residentBytesMax, RESIDENT_BYTES_MAX],
  ] as const;
  for (const [what, bytes, most] of limits) {
    if (bytes > most) found.push(`${what}: ${bytes} bytes, at most ${most} are allowed`);
  }
  return found;
}
