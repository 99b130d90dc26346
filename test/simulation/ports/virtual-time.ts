/**
 * One line of virtual time for everything that is simulated. Time moves only in `advance`, which runs
 * the timers that are due, one after the other, and lets each of them finish before the next.
 *
 * Core uses the timers of Node. `installTimers` replaces them in this process: code of a simulated
 * process gets virtual timers, and the simulation itself keeps the real ones.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import type { Clock } from '../../../packages/core/src/clock.ts';
import type { TimerClock } from '../../../packages/core/src/store/timers.ts';
import type { SimulatedProcess } from './process.ts';
import { isComputing } from './web-crypto.ts';

/** Each reading of the clock takes this long, so that a loop that waits for a time ends. */
const READING_MS = 0.001;
/** A clock that is ahead by more is wrong. */
const SKEW_MS_MAX = 60_000;
const WALL_START_MS = Date.UTC(2026, 0, 1);

const realImmediate = timersPromises.setImmediate;
/** Canceled timers are removed each time so many have run: some would wait for a day. */
const SWEEP_TIMERS = 1_000;
/** The simulated process that runs the current code; undefined in the simulation itself. */
const current = new AsyncLocalStorage<SimulatedProcess>();

export function currentProcess(): SimulatedProcess | undefined {
  return current.getStore();
}

export function runIn<T>(process: SimulatedProcess, work: () => T): T {
  return current.run(process, work);
}

/** A timer of a simulated process. Has the methods of a timer of Node that core uses. */
class VirtualTimer {
  readonly process: SimulatedProcess;
  readonly run: () => void;
  at: number;
  readonly everyMs: number | undefined;
  isCanceled = false;

  constructor(process: SimulatedProcess, at: number, run: () => void, everyMs?: number) {
    this.process = process;
    this.at = at;
    this.run = run;
    this.everyMs = everyMs;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

export class VirtualTime {
  #nowMs = 0;
  #fired = 0;
  #wasSetBack = false;
  #wasWrong = false;
  /** Difference of the wall clock to the virtual time. A step of the clock changes it. */
  #wallMs = WALL_START_MS;
  /** In the order in which they run. */
  #timers: VirtualTimer[] = [];
  /** Called with an error that was thrown by a timer of a process that runs. */
  onError: (error: unknown) => void = (error) => {
    throw error;
  };

  /** Number of timers that have run. */
  get fired(): number {
    return this.#fired;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  readonly clock: TimerClock = {
    now: () => Math.floor(this.#wallMs + this.#read()),
    monotonic: () => this.#read(),
    after: (ms, callback) => {
      const process = currentProcess();
      if (process === undefined) throw new Error('only simulated processes have virtual timers');
      const timer = this.start(process, ms, callback);
      return () => void (timer.isCanceled = true);
    },
  } satisfies Clock & TimerClock;

  /** For processes that must not change the steps of others: reading it takes no time. */
  readonly quietClock: TimerClock = {
    now: () => Math.floor(this.#wallMs + this.#nowMs),
    monotonic: () => this.#nowMs,
    after: (ms, callback) => this.clock.after(ms, callback),
  };

  /** Whether the wall clock was ever set back: ages of earlier files cannot be known then. */
  get wasSetBack(): boolean {
    return this.#wasSetBack;
  }

  /** Whether the wall clock was ever set back, or far ahead: restore does not trust all times then. */
  get wasWrong(): boolean {
    return this.#wasWrong;
  }

  stepWallClock(byMs: number): void {
    this.#wallMs += byMs;
    this.#wasSetBack ||= byMs < 0;
    this.#wasWrong ||= byMs < 0 || byMs > SKEW_MS_MAX;
  }

  start(
    process: SimulatedProcess,
    delayMs: number,
    run: () => void,
    everyMs?: number,
  ): VirtualTimer {
    const at = Math.max(this.#nowMs + delayMs, process.heldUntilMs);
    const timer = new VirtualTimer(process, at, run, everyMs);
    this.#insert(timer);
    return timer;
  }

  /**
   * The process does nothing for this long. 'stopped': its timers that are due meanwhile run afterwards. 'suspended':
   * its machine sleeps, so that all its timers run later.
   */
  hold(process: SimulatedProcess, ms: number, how: 'stopped' | 'suspended'): void {
    const until = this.#nowMs + ms;
    process.heldUntilMs = until;
    for (const timer of this.#timers) {
      if (timer.process !== process) continue;
      timer.at = how === 'suspended' ? timer.at + ms : Math.max(timer.at, until);
    }
    this.#timers.sort((a, b) => a.at - b.at);
  }

  /** Time passes, and nothing runs: the machine sleeps. Timers that are due meanwhile run after it. */
  leap(ms: number): void {
    this.#nowMs += ms;
  }

  /** Runs everything that is due within `ms`. Returns early once `until` holds. */
  async advance(ms: number, until: () => boolean = () => false): Promise<void> {
    const end = this.#nowMs + ms;
    await settle();
    while (!until()) {
      const next = this.#timers[0];
      if (next === undefined || next.at > end) {
        this.#nowMs = Math.max(this.#nowMs, end);
        return;
      }
      this.#timers.shift();
      this.#nowMs = Math.max(this.#nowMs, next.at);
      if (next.isCanceled || next.process.isDead) continue;
      this.#run(next);
      await settle();
    }
  }

  #run(timer: VirtualTimer): void {
    this.#fired += 1;
    if (this.#fired % SWEEP_TIMERS === 0) this.#timers = this.#timers.filter(isWaiting);
    if (timer.everyMs !== undefined) {
      timer.at = this.#nowMs + timer.everyMs;
      this.#insert(timer);
    }
    try {
      runIn(timer.process, timer.run);
    } catch (error) {
      if (!timer.process.isDead) this.onError(error);
    }
  }

  #insert(timer: VirtualTimer): void {
    let index = this.#timers.length;
    while (index > 0 && (this.#timers[index - 1]?.at ?? 0) > timer.at) index -= 1;
    this.#timers.splice(index, 0, timer);
  }

  #read(): number {
    this.#nowMs += READING_MS;
    return this.#nowMs;
  }
}

function isWaiting({ isCanceled, process }: VirtualTimer): boolean {
  return !isCanceled && !process.isDead;
}

/** Names that Node gives to file operations in progress. */
const FILE_REQUESTS: ReadonlySet<string> = new Set(['FSReqPromise', 'FSReqCallback', 'CloseReq']);

/** Lets all promises, all real file operations and those of Web Crypto settle. */
async function settle(): Promise<void> {
  do await realImmediate();
  while (isComputing() || process.getActiveResourcesInfo().some((name) => FILE_REQUESTS.has(name)));
}

/** Node waits for at least this long. */
const TIMEOUT_MS_MIN = 1;

/** Gives code of simulated processes virtual timers. Call once, before core is loaded. */
export function installTimers(time: () => VirtualTime): void {
  const real = { setTimeout, setInterval, clearTimeout, clearInterval };
  type Callback = (...values: unknown[]) => void;
  const start = (callback: Callback, ms: number | undefined, values: unknown[]): unknown => {
    const process = currentProcess();
    if (process === undefined) return real.setTimeout(callback, ms, ...values);
    return time().start(process, Math.max(TIMEOUT_MS_MIN, ms ?? 0), () => callback(...values));
  };
  const repeat = (callback: Callback, ms: number | undefined, values: unknown[]): unknown => {
    const process = currentProcess();
    if (process === undefined) return real.setInterval(callback, ms, ...values);
    const everyMs = Math.max(TIMEOUT_MS_MIN, ms ?? 0);
    return time().start(process, everyMs, () => callback(...values), everyMs);
  };
  const cancel = (timer: unknown): void => {
    if (timer instanceof VirtualTimer) timer.isCanceled = true;
    else real.clearTimeout(timer as NodeJS.Timeout | undefined);
  };
  Object.assign(globalThis, {
    setTimeout: (callback: Callback, ms?: number, ...values: unknown[]) =>
      start(callback, ms, values),
    setInterval: (callback: Callback, ms?: number, ...values: unknown[]) =>
      repeat(callback, ms, values),
    clearTimeout: cancel,
    clearInterval: cancel,
  });
  const realSleep = timersPromises.setTimeout;
  const virtualWait = async (ms: number): Promise<void> => {
    const process = currentProcess();
    if (process === undefined) throw new Error('only simulated processes have virtual timers');
    await new Promise<void>((resolve) => void time().start(process, ms, resolve));
  };
  Object.assign(timersPromises, {
    setTimeout: (ms: number = TIMEOUT_MS_MIN, value?: unknown, options?: object) =>
      currentProcess() === undefined
        ? realSleep(ms, value, options)
        : virtualWait(Math.max(TIMEOUT_MS_MIN, ms)),
    setImmediate: (value?: unknown) =>
      currentProcess() === undefined ? realImmediate(value) : virtualWait(0),
  });
  syncBuiltinESMExports();
}
