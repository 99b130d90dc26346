/**
 * Preload of a replicator process: its wall clock can be moved while it runs, in every thread at once.
 * Timers and performance.now() stay as they are, as where an operator or NTP sets the clock.
 */

import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

const KEY = 'sluice test clock';

if (isMainThread) setEnvironmentData(KEY, new SharedArrayBuffer(8));
/** Milliseconds that are added to the wall clock; shared by the threads. */
const offset = new Float64Array(getEnvironmentData(KEY) as unknown as SharedArrayBuffer);
const RealDate = Date;

class MovedDate extends RealDate {
  constructor(...values: []) {
    if (values.length === 0) super(MovedDate.now());
    else super(...values);
  }

  static override now(): number {
    return Math.round(RealDate.now() + (offset[0] ?? 0));
  }
}

globalThis.Date = MovedDate as DateConstructor;

export function setClockOffset(ms: number): void {
  offset[0] = ms;
}
