/**
 * When a followed database is looked at: at once and then every 10 to 50 ms while something moves,
 * once per safety poll while nothing does. The files are watched when nothing moves: a watcher fires
 * many times in one transaction, and every event costs more than a look.
 */

import fs from 'node:fs';
import type { Clock } from '../clock.ts';
import { beginSettling, settle, type SettleState } from './settle.ts';

export interface Look {
  readonly log: number;
  readonly checkpointed: number;
  /** Everything that is committed is held, and nothing was done that moves the log. */
  readonly quiet: boolean;
  readonly fresh: number;
  /** The reader is where the next writer restarts the log. */
  readonly atRest: boolean;
}

export interface LoopContext {
  /** Files whose events wake the loop. One that is missing is left to the poll. */
  readonly files: readonly string[];
  readonly pollMs: number;
  readonly clock: Clock;
  readonly look: () => Look;
  /** Called at each safety poll: throws where the files are no longer those that were opened. */
  readonly check: () => void;
  /** In how many ms something is due that a look does; Infinity where nothing is. */
  readonly dueInMs: () => number;
  readonly onError: (error: unknown) => void;
}

export class LookLoop {
  readonly #context: LoopContext;
  #settling: SettleState | undefined;
  #timer: NodeJS.Timeout | undefined;
  #watchers: fs.FSWatcher[] = [];
  #stopped = false;

  constructor(context: LoopContext) {
    this.#context = context;
  }

  /** Something may have moved: look at once, and until it has settled. */
  readonly wake = (): void => {
    if (this.#stopped || (this.#settling !== undefined && this.#watchers.length === 0)) return;
    this.#unwatch();
    this.#settling = beginSettling(this.#context.clock.monotonic());
    this.#later(0);
  };

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#unwatch();
  }

  #later(delayMs: number): void {
    clearTimeout(this.#timer);
    if (!this.#stopped) this.#timer = setTimeout(this.#run, delayMs);
  }

  readonly #run = (): void => {
    if (this.#stopped) return;
    try {
      if (this.#settling === undefined) this.#poll();
      else this.#settle(this.#settling);
    } catch (error) {
      this.#context.onError(error);
    }
  };

  #settle(state: SettleState): void {
    const look = this.#context.look();
    const next = settle(state, {
      now: this.#context.clock.monotonic(),
      log: look.log,
      checkpointed: look.checkpointed,
      held: look.quiet,
      atRest: look.atRest,
    });
    if (next !== 'settled') {
      if (next.isStill && !state.isStill) this.#watch();
      this.#settling = next;
      this.#later(next.delayMs);
      return;
    }
    this.#settling = undefined;
    this.#watch();
    this.#sleepAfter(this.#context.look()); // what came between the last look and the watch
  }

  #poll(): void {
    this.#context.check();
    this.#sleepAfter(this.#context.look());
  }

  #sleepAfter(look: Look): void {
    if (look.fresh > 0 || !look.quiet) this.wake();
    else this.#later(Math.max(1, Math.min(this.#context.pollMs, this.#context.dueInMs())));
  }

  #watch(): void {
    this.#unwatch();
    for (const file of this.#context.files) {
      try {
        const watcher = fs.watch(file, { persistent: false }, this.wake);
        watcher.on('error', this.#unwatch); // the poll goes on without it
        this.#watchers.push(watcher);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
  }

  readonly #unwatch = (): void => {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  };
}
