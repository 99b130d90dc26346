/**
 * When a followed database is looked at: at once and then every 10 to 100 ms while something moves,
 * once per safety poll while nothing does. The files are watched when nothing moves: a watcher fires
 * many times in one transaction, and every event costs more than a look.
 */

import fs from 'node:fs';
import type { Clock } from '../clock.ts';
import { messageOf } from '../error.ts';
import { beginSettling, settle, type SettleState } from './settle.ts';

export interface Look {
  readonly log: number;
  readonly checkpointed: number;
  /** Everything that is committed is held. */
  readonly held: boolean;
  /** There is more to read at once. */
  readonly behind: boolean;
  /** It is held, and nothing was done that moves the log. */
  readonly quiet: boolean;
  readonly fresh: number;
  readonly freshBytes: number;
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
  readonly onNotice: (level: 'info' | 'warn', message: string) => void;
}

/** Where files cannot be watched a commit is seen within this. A look takes some 50 microseconds. */
export const UNWATCHED_POLL_MS = 100;

export class LookLoop {
  readonly #context: LoopContext;
  #settling: SettleState | undefined;
  #timer: NodeJS.Timeout | undefined;
  #watchers: fs.FSWatcher[] = [];
  #stopped = false;
  /** Why the files cannot be watched, while that is so. */
  #unwatchable: string | undefined;

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
      freshBytes: look.freshBytes,
    });
    if (next !== 'settled') {
      if (next.isStill && !state.isStill) this.#watch();
      this.#settling = next;
      this.#later(look.behind ? 0 : this.#until(next.delayMs));
      return;
    }
    this.#settling = undefined;
    this.#watch();
    this.#sleepAfter(this.#context.look()); // what came between the last look and the watch
  }

  /** A cut that is due earlier is not kept waiting. */
  #until(delayMs: number): number {
    const dueInMs = this.#context.dueInMs();
    return dueInMs > 0 ? Math.min(delayMs, Math.ceil(dueInMs)) : delayMs;
  }

  #poll(): void {
    this.#context.check();
    this.#sleepAfter(this.#context.look());
  }

  #sleepAfter(look: Look): void {
    if (look.fresh > 0 || !look.quiet) this.wake();
    else this.#later(Math.max(1, Math.min(this.#pollMs, this.#context.dueInMs())));
  }

  get #pollMs(): number {
    const { pollMs } = this.#context;
    return this.#unwatchable === undefined ? pollMs : Math.min(pollMs, UNWATCHED_POLL_MS);
  }

  #watch(): void {
    this.#unwatch();
    try {
      for (const file of this.#context.files) this.#watchFile(file);
    } catch (error) {
      this.#cannotWatch(error);
      return;
    }
    if (this.#unwatchable === undefined) return;
    this.#unwatchable = undefined;
    this.#context.onNotice('info', 'watching its files for changes again');
  }

  #watchFile(file: string): void {
    try {
      const watcher = fs.watch(file, { persistent: false }, this.wake);
      watcher.on('error', this.#cannotWatch);
      this.#watchers.push(watcher);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  /** Said once, until it can be watched again: it is tried after each change. */
  readonly #cannotWatch = (error: unknown): void => {
    this.#unwatch();
    if (this.#unwatchable !== undefined) return;
    this.#unwatchable = messageOf(error);
    this.#context.onNotice(
      'warn',
      `cannot watch its files for changes (${this.#unwatchable}): polling them every ` +
        `${UNWATCHED_POLL_MS} ms; raise fs.inotify.max_user_instances or max_user_watches`,
    );
  };

  readonly #unwatch = (): void => {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  };
}
