/**
 * Identity of the process that wrote a state file, and whether it still runs: by the age of the file,
 * and by its PID if it is in the same PID namespace.
 */

import fs from 'node:fs';
import os from 'node:os';
import type { Clock } from '../../clock.ts';

/** The process that wrote a state file. Times are in milliseconds. */
export interface Writer {
  readonly pid: number;
  /** Host name and, on Linux, the PID namespace of `pid`. */
  readonly host: string;
  /** Boot ID that `monotonicMs` is relative to; '' if unknown. */
  readonly boot: string;
  readonly monotonicMs: number;
  /** Maximum time between writes of the file. */
  readonly heartbeatMs: number;
}

/** State of the process that wrote a state file. */
export type WriterState =
  | 'runs'
  /** It ended replication normally. */
  | 'ended'
  /** The process is gone without having ended replication. */
  | 'died'
  /** The process exists, or may exist, but does not write. */
  | 'hangs';

/** Number of heartbeats after which the file counts as overdue. */
const HEARTBEATS_MISSED = 3;

export function describeWriter(clock: Clock, heartbeatMs: number): Writer {
  const monotonicMs = clock.monotonic();
  return { pid: process.pid, host: hostIdentity(), boot: bootIdentity(), monotonicMs, heartbeatMs };
}

/** A moment by both clocks, in ms. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** After a larger shift of the wall clock, the time of a file says nothing. */
export const SHIFT_MS_MAX = 1_000;

/** How far the wall clock was set since then, in ms, in whichever direction. */
export function clockShiftMs(since: Moment, clock: Clock): number {
  return Math.abs(clock.now() - since.wallMs - (clock.monotonic() - since.monotonicMs));
}

/**
 * Age of a file written at `at`, in ms. Uses the wall clock only if the boot IDs differ. `touchedMs`: time of the file,
 * which is renewed while what it says holds. It counts only on this machine, and if the clock was not set since `at`:
 * with a clock that was set back, a process that hangs would look alive.
 */
export function ageOfWriting(
  writer: Writer,
  at: string,
  clock: Clock,
  touchedMs: number = -Infinity,
): number {
  const ours = bootIdentity();
  const isSameClock = ours !== '' && ours === writer.boot;
  const age = isSameClock ? clock.monotonic() - writer.monotonicMs : clock.now() - Date.parse(at);
  const written = { wallMs: Date.parse(at), monotonicMs: writer.monotonicMs };
  const isTrusted = isSameClock
    ? clockShiftMs(written, clock) <= SHIFT_MS_MAX
    : ours === writer.boot;
  const touchedAge = isTrusted ? clock.now() - touchedMs : Infinity;
  return Math.max(0, touchedAge < 0 ? age : Math.min(age, touchedAge));
}

/** Whether the process that wrote a state file still runs. `ageMs`: the age of the file, from `ageOfWriting`. */
export function stateOfWriter(writer: Writer, ageMs: number): Exclude<WriterState, 'ended'> {
  const isHere = writer.host === hostIdentity();
  if (isHere && !isAlive(writer.pid)) return 'died';
  return ageMs > HEARTBEATS_MISSED * writer.heartbeatMs ? 'hangs' : 'runs';
}

let host: string | undefined; // constant for a process, and wanted once a second

function hostIdentity(): string {
  host ??= `${os.hostname()} ${readLink('/proc/self/ns/pid')}`.trim();
  return host;
}

function readLink(file: string): string {
  try {
    return fs.readlinkSync(file);
  } catch {
    return ''; // not Linux
  }
}

let boot: string | undefined;

function bootIdentity(): string {
  boot ??= readText('/proc/sys/kernel/random/boot_id').trim();
  return boot;
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return ''; // not Linux
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // it exists, but belongs to another user
  }
}
