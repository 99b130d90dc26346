/**
 * Closes a database that is idle: nothing was committed for `idleCloseMs`, everything is staged and backfilled, and the
 * position records that, so that the next opening can prove continuity.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { isSamePosition } from './continuity/position.ts';
import type { CurrentPosition } from './current-position.ts';
import type { Cutter } from './cut/cutter.ts';
import { IDLE_BYTES_MAX, type IdleFiles, readIdleFiles } from './idle-database.ts';
import type { Tick } from './follow.ts';
import type { Gauges } from './gauges.ts';
import type { OpenDatabases } from './open-databases.ts';
import type { OpenDatabase } from './opening.ts';
import type { DatabaseOptions } from './options.ts';

export interface RestContext {
  readonly database: OpenDatabase;
  readonly options: Pick<DatabaseOptions, 'path' | 'idleCloseMs'>;
  readonly cutter: Cutter;
  readonly position: CurrentPosition;
  readonly clock: Clock;
  readonly gauges: Gauges;
  readonly openDatabases: OpenDatabases;
  /** Called after `idleCloseMs` without commits, and again after that time while the database stays open. */
  readonly onIdle: () => void;
}

export interface RestHost {
  readonly mayRest: boolean;
  stopLooking(): void;
  /** Cuts and stages everything committed so far. */
  sync(): Promise<unknown>;
  /** Reads new frames. */
  tick(): Tick;
  closeAtRest(): void;
  /** An error of `work` also ends the following. */
  try<Result>(work: () => Result): Result;
}

/** Maximum time to wait at the end for the log to be empty. A log that others use is left to them. */
const REST_MS_MAX = 1_000;
/** Maximum cuts at the end: a writer that never pauses must not produce one file per commit. */
const REST_CUTS_MAX = 3;
const RETRY_MS = 10;

export class Rest {
  readonly #context: RestContext;
  readonly #host: RestHost;
  /** When something was last committed or done, or when `onIdle` was called. */
  #activeAt: number;
  /** Whether it was late since then: if it stays open, it is tried again at the next poll. */
  #wasLate = false;
  /** Whether something was committed after it was complete for the first time. */
  #use: 'opening' | 'unused' | 'used' = 'opening';

  constructor(context: RestContext, host: RestHost) {
    this.#context = context;
    this.#host = host;
    this.#activeAt = context.clock.monotonic();
  }

  /** Call after each look. */
  observe(look: 'active' | 'idle'): void {
    const { clock, database, onIdle } = this.#context;
    const now = clock.monotonic();
    if (this.#use === 'opening' && this.#host.mayRest) this.#use = 'unused';
    else if (this.#use === 'unused' && look === 'active') this.#use = 'used';
    const isLate = now - this.#activeAt >= this.#idleMs;
    this.#wasLate = look === 'idle' && this.#host.mayRest && (this.#wasLate || isLate);
    const isDue = isLate && database.connections.fileSizeBytes() <= IDLE_BYTES_MAX;
    if (look === 'active' || isDue || !this.#host.mayRest) this.#activeAt = now;
    if (look === 'idle' && isDue) onIdle();
  }

  /**
   * Time until a look is needed to close it. It does not wait for the next poll: while thousands are opened, others wait
   * for its end.
   */
  get dueInMs(): number {
    if (this.#wasLate || !this.#host.mayRest) return Infinity;
    return Math.max(1, this.#activeAt + this.#idleMs - this.#context.clock.monotonic());
  }

  /** After what time without commits it is closed; Infinity: never. */
  get #idleMs(): number {
    const { openDatabases, options } = this.#context;
    const use = this.#use === 'opening' ? 'used' : this.#use;
    const idleMs = openDatabases.idleCloseMs(options.idleCloseMs, use);
    return idleMs > 0 ? idleMs : Infinity;
  }

  /**
   * Makes the position record that the database is at rest. Returns false if it is not, or if that is not certain. Then
   * the log is backfilled for the next try.
   */
  async record(): Promise<boolean> {
    const { cutter, position } = this.#context;
    const host = this.#host;
    const current = host.mayRest ? host.try(() => position.read()) : undefined;
    if (current?.atRest === false) host.try(() => this.#checkpoint());
    if (current?.atRest !== true) return false;
    cutter.publisher.position(current);
    return (await cutter.publisher.settled()) === 'published';
  }

  /**
   * Closes the database if everything is as `record` has recorded it, and returns how its files look. The log is
   * kept: what is committed from now on is found in it. undefined: it stays open.
   */
  close(): IdleFiles | undefined {
    const { cutter, database, options, position } = this.#context;
    const { head, publisher } = cutter;
    const { stored } = publisher;
    if (!this.#host.mayRest || head === undefined || stored?.atRest !== true) return undefined;
    return this.#host.try(() => {
      const files = readIdleFiles(database, options.path, head.txid);
      // A commit after the files were read is found here, or changes them.
      if (files === undefined || !isSamePosition(position.read(), stored)) return undefined;
      this.#host.closeAtRest();
      return files;
    });
  }

  /** At the end: waits until the whole log is staged and backfilled, and the position records that. */
  async drain(): Promise<'log is needed' | 'log is not needed'> {
    const { clock, cutter, database, position } = this.#context;
    const { start, follower, guard } = database;
    if (cutter.head === undefined && start.kind === 'unproved') return 'log is not needed';
    this.#host.stopLooking();
    const { publisher } = cutter;
    const deadline = clock.monotonic() + REST_MS_MAX;
    for (let cuts = 0; cuts < REST_CUTS_MAX && clock.monotonic() < deadline;) {
      if (cutter.hasMore) cuts += 1;
      await this.#host.sync();
      const current = position.read();
      if (current?.atRest === true) {
        publisher.position(current);
        if ((await publisher.settled()) === 'published') return 'log is not needed';
      }
      if (!cutter.isPinned) {
        follower.follow(this.#host.tick());
        guard.checkNames();
        this.#checkpoint();
      }
      await sleep(RETRY_MS);
    }
    return 'log is needed';
  }

  /** Backfills what may be backfilled. */
  #checkpoint(): void {
    const { clock, database, gauges } = this.#context;
    const before = clock.monotonic();
    database.connections.checkpoint('PASSIVE');
    gauges.add('checkpoints', 1);
    gauges.add('checkpointMicros', (clock.monotonic() - before) * 1_000);
  }
}
