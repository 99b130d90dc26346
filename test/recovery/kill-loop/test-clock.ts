/**
 * Preloaded in a replicator process: moves its wall clock while it runs, in all threads at once. Timers
 * and performance.now() are unchanged, as when an operator or NTP sets the clock.
 */

import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

const KEY = 'sluice test clock';

if (isMainThread) setEnvironmentData(KEY, new SharedArrayBuffer(8));
/** Offset of the wall clock in milliseconds, shared by all threads. */
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
