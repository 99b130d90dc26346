/**
 * Who wrote a state file, and how another process tells whether that one still runs: by the age of
 * the file, and by the process itself where both see the same processes.
 */

import fs from 'node:fs';
import os from 'node:os';
import type { Clock } from '../../clock.ts';

export interface Writer {
  readonly pid: number;
  /** The machine and, where it has them, the namespace that `pid` is a number of. */
  readonly host: string;
  /** Since which start of the machine `monotonicMs` counts; '' where that cannot be told. */
  readonly boot: string;
  readonly monotonicMs: number;
  /** The file is written at least so often. */
  readonly heartbeatMs: number;
}

export type WriterState =
  | 'runs'
  /** It let go of the database in peace. */
  | 'ended'
  /** The process is gone, and has not said so. */
  | 'died'
  /** The process is there, or may be, and does not write. */
  | 'hangs';

/** A file that is older than so many heartbeats was not written when it should have been. */
const HEARTBEATS_MISSED = 3;

export function describeWriter(clock: Clock, heartbeatMs: number): Writer {
  const monotonicMs = clock.monotonic();
  return { pid: process.pid, host: hostIdentity(), boot: bootIdentity(), monotonicMs, heartbeatMs };
}

/** How old a file is that was written at `at`, in ms. Only where the clocks differ does the wall clock decide. */
export function ageOfWriting(writer: Writer, at: string, clock: Clock): number {
  const boot = bootIdentity();
  const isSameClock = boot !== '' && boot === writer.boot;
  const age = isSameClock ? clock.monotonic() - writer.monotonicMs : clock.now() - Date.parse(at);
  return Math.max(0, age);
}

export function stateOfWriter(writer: Writer, ageMs: number): Exclude<WriterState, 'ended'> {
  const isHere = writer.host === hostIdentity();
  if (isHere && !isAlive(writer.pid)) return 'died';
  return ageMs > HEARTBEATS_MISSED * writer.heartbeatMs ? 'hangs' : 'runs';
}

function hostIdentity(): string {
  return `${os.hostname()} ${readLink('/proc/self/ns/pid')}`.trim();
}

function readLink(file: string): string {
  try {
    return fs.readlinkSync(file);
  } catch {
    return ''; // not Linux
  }
}

function bootIdentity(): string {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return ''; // not Linux
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // it is there, and somebody else's
  }
}
