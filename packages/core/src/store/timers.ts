/** Clocks with timers: code that waits takes one, so that tests need not wait. */

import { systemClock, type Clock } from '../clock.ts';

export interface TimerClock extends Clock {
  /** Rings once, `ms` from now. Returns what cancels it. */
  after(ms: number, ring: () => void): () => void;
}

export const systemTimers: TimerClock = {
  ...systemClock,
  after(ms, ring) {
    const timer = setTimeout(ring, ms);
    return () => clearTimeout(timer);
  },
};
