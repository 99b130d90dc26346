/** Clocks with timers. Code that waits takes one as an argument, so that tests need not wait. */

import { systemClock, type Clock } from '../clock.ts';

export interface TimerClock extends Clock {
  /** Calls `callback` once, after `ms`. Returns a function that cancels the timer. */
  after(ms: number, callback: () => void): () => void;
}

export const systemTimers: TimerClock = {
  ...systemClock,
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
