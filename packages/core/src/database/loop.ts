/**
 * Schedules the looks at a followed database: immediately and then every 10 to 100 ms while the log
 * changes, once per safety poll while it does not. The files are watched only while nothing changes: a
 * watcher fires many times in one transaction, and each event costs more than a look.
 */

import fs from 'node:fs';
import type { Clock } from '../clock.ts';
import { messageOf } from '../error.ts';
import { beginSettling, settle, type SettleState } from './settle.ts';

export interface Look {
  readonly log: number;
  readonly checkpointed: number;
  /** Whether everything committed is held. */
  readonly isHeld: boolean;
  /** Whether more frames can be read immediately. */
  readonly isBehind: boolean;
  /** Whether everything committed is held, and no checkpoint was made. */
  readonly isQuiet: boolean;
  readonly fresh: number;
  readonly freshBytes: number;
  /** Whether the reader is at rest, so that the next writer restarts the log. */
  readonly isAtRest: boolean;
}

export interface LoopContext {
  /** Files that are watched. A missing file is found by the safety poll. */
  readonly files: readonly string[];
  readonly pollMs: number;
  readonly syncIntervalMs: number;
  readonly clock: Clock;
  readonly look: () => Look;
  /** Called at each safety poll. Throws if the files are no longer the ones that were opened. */
  readonly check: () => void;
  /** Time in ms until a look is needed for a cut, or to close the database; Infinity if none is. */
  readonly dueInMs: () => number;
  readonly onError: (error: unknown) => void;
  readonly onNotice: (level: 'info' | 'warn', message: string) => void;
}

/** Poll interval if files cannot be watched. A look takes about 50 microseconds. */
export const UNWATCHED_POLL_MS = 100;

export class LookLoop {
  readonly #context: LoopContext;
  #settling: SettleState | undefined;
  #timer: NodeJS.Timeout | undefined;
  #watchers: fs.FSWatcher[] = [];
  #isStopped = false;
  /** Why the files cannot be watched; undefined if they can. */
  #watchFailure: string | undefined;

  constructor(context: LoopContext) {
    this.#context = context;
  }

  /** Looks immediately, and then until the log has settled. */
  readonly wake = (): void => {
    if (this.#isStopped || (this.#settling !== undefined && this.#watchers.length === 0)) return;
    this.#unwatch();
    this.#settling = beginSettling(this.#context.clock.monotonic());
    this.#later(0);
  };

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#unwatch();
  }

  #later(delayMs: number): void {
    clearTimeout(this.#timer);
    if (!this.#isStopped) this.#timer = setTimeout(this.#run, delayMs);
  }

  readonly #run = (): void => {
    if (this.#isStopped) return;
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
      isHeld: look.isQuiet,
      isAtRest: look.isAtRest,
      freshBytes: look.freshBytes,
      syncIntervalMs: this.#context.syncIntervalMs,
    });
    if (next !== 'settled') {
      if (next.isStill && !state.isStill) this.#watch();
      this.#settling = next;
      this.#later(look.isBehind ? 0 : this.#limitDelay(next.delayMs));
      return;
    }
    this.#settling = undefined;
    this.#watch();
    this.#sleepAfter(this.#context.look()); // changes between the last look and the start of the watch
  }

  /** Shortens `delayMs` if a cut is due earlier. */
  #limitDelay(delayMs: number): number {
    const dueInMs = this.#context.dueInMs();
    return dueInMs > 0 ? Math.min(delayMs, Math.ceil(dueInMs)) : delayMs;
  }

  #poll(): void {
    this.#context.check();
    this.#sleepAfter(this.#context.look());
  }

  #sleepAfter(look: Look): void {
    if (look.fresh > 0 || !look.isQuiet) this.wake();
    else this.#later(Math.max(1, Math.min(this.#pollMs, this.#context.dueInMs())));
  }

  get #pollMs(): number {
    const { pollMs } = this.#context;
    return this.#watchFailure === undefined ? pollMs : Math.min(pollMs, UNWATCHED_POLL_MS);
  }

  #watch(): void {
    this.#unwatch();
    try {
      for (const file of this.#context.files) this.#watchFile(file);
    } catch (error) {
      this.#cannotWatch(error);
      return;
    }
    if (this.#watchFailure === undefined) return;
    this.#watchFailure = undefined;
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

  /** Reports the failure once, until watching works again. It is retried after each change. */
  readonly #cannotWatch = (error: unknown): void => {
    this.#unwatch();
    if (this.#watchFailure !== undefined) return;
    this.#watchFailure = messageOf(error);
    this.#context.onNotice(
      'warn',
      `cannot watch its files for changes (${this.#watchFailure}): polling them every ` +
        `${UNWATCHED_POLL_MS} ms; raise fs.inotify.max_user_instances or max_user_watches`,
    );
  };

  readonly #unwatch = (): void => {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  };
}
