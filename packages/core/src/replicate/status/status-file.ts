/**
 * `status.json` in the staging folder: rewritten after changes, and at each heartbeat, so that its age
 * shows other processes whether this one still runs. While the database is idle, and what was written still
 * holds, a heartbeat only renews the time of the file: that takes a tenth of the processor time.
 *
 * Never creates the folder: a staging folder that was moved away with its database must not reappear.
 */

import path from 'node:path';
import { alignedMs, type Clock } from '../../clock.ts';
import { toStagingError } from '../../database/staging/staging-error.ts';
import { type FileSystem, replaceText } from '../../file-system.ts';
import { within } from '../waits.ts';
import type { DatabaseStatus } from './status.ts';
import { clockShiftMs, SHIFT_MS_MAX, type Moment } from './writer.ts';

/** Minimum time between writes. */
const WRITE_EVERY_MS = 1_000;
/** Time limit of a write that something waits for, in case the disk hangs. */
const AWAITED_WRITE_MS_MAX = 5_000;

/**
 * Short enough that the age of the file shows within `max-lag` that we are gone; not shorter, to
 * let a disk sleep.
 */
export function heartbeatMs(maxLagMs: number): number {
  return Math.min(HEARTBEAT_MS_MAX, maxLagMs / 4);
}

const HEARTBEAT_MS_MAX = 10_000;
/** Readers allow twice as much: they look at another moment. */
const SHIFT_MS_TOUCHED_MAX: number = SHIFT_MS_MAX / 2;

export interface StatusFileContext {
  readonly status: () => DatabaseStatus;
  /** While two calls return the same number, the status between them holds. undefined: that is not known. */
  readonly rest: () => number | undefined;
  readonly clock: Clock;
  readonly files: FileSystem;
  readonly onError: (error: unknown) => void;
  /** Maximum time between writes. */
  readonly heartbeatMs: number;
}

export class StatusFile {
  readonly #file: string;
  readonly #context: StatusFileContext;
  #heartbeat: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  /** Whether another write was requested during a write. */
  #isWriteRequested = false;
  #triedAt = -Infinity;
  /** When it was last written, or when `begin` was called; undefined before that. */
  #writtenAt: number | undefined;
  #isFailing = false;
  /** When it was last written whole, by both clocks. */
  #written: Moment = { wallMs: 0, monotonicMs: 0 };
  /** Result of `rest` for what was last written. A change since then is written by `touch`. */
  #writtenRest: number | undefined;

  constructor(folder: string, context: StatusFileContext) {
    this.#file = path.join(folder, 'status.json');
    this.#context = context;
  }

  /** By the monotonic clock; undefined before `begin`. */
  get writtenAt(): number | undefined {
    return this.#writtenAt;
  }

  /** The folder is locked by us. Nothing is written before that: the file may belong to another process. */
  begin(): void {
    this.#writtenAt ??= this.#context.clock.monotonic();
    if (this.#heartbeat === undefined) this.#beatLater();
    this.touch();
  }

  /** Schedules a write after a change. */
  touch(): void {
    if (this.#writtenAt === undefined || this.#timer !== undefined) return;
    const wait = Math.max(0, this.#triedAt + WRITE_EVERY_MS - this.#context.clock.monotonic());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.write();
    }, wait);
    this.#timer.unref();
  }

  /** Resolves when a status no older than this call was written, or the write failed. */
  async write(): Promise<void> {
    if (this.#writtenAt === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#writing === undefined) this.#writing = this.#writeAll();
    else this.#isWriteRequested = true;
    await this.#writing;
  }

  /** Like `write`, with a time limit. */
  async writeInTime(): Promise<void> {
    await within(AWAITED_WRITE_MS_MAX, this.write());
  }

  /** Writes one last time. */
  async close(): Promise<void> {
    clearTimeout(this.#heartbeat);
    await this.writeInTime();
    clearTimeout(this.#timer);
  }

  #beatLater(): void {
    const { clock, heartbeatMs } = this.#context;
    this.#heartbeat = setTimeout(
      () => {
        this.#beatLater();
        void this.#beat();
      },
      alignedMs(clock, heartbeatMs),
    );
    this.#heartbeat.unref();
  }

  async #beat(): Promise<void> {
    const { clock, files, rest } = this.#context;
    const isClockSet = clockShiftMs(this.#written, clock) > SHIFT_MS_TOUCHED_MAX;
    const isSame = this.#writtenRest !== undefined && rest() === this.#writtenRest && !isClockSet;
    if (!isSame || this.#writing !== undefined || files.touch === undefined) return this.write();
    const at = clock.monotonic();
    try {
      await files.touch(this.#file, clock.now());
      this.#writtenAt = at;
    } catch {
      await this.write(); // which reports why
    }
  }

  async #writeAll(): Promise<void> {
    do {
      this.#isWriteRequested = false;
      await this.#write();
    } while (this.#isWriteRequested);
    this.#writing = undefined;
  }

  async #write(): Promise<void> {
    const { clock, files, onError, rest, status } = this.#context;
    const at = clock.monotonic();
    this.#triedAt = at;
    this.#writtenRest = rest();
    this.#written = { wallMs: clock.now(), monotonicMs: at };
    try {
      await replaceText(files, this.#file, `${JSON.stringify(status(), undefined, 2)}\n`);
      this.#writtenAt = at;
      this.#isFailing = false;
    } catch (error) {
      this.#writtenRest = undefined;
      if (!this.#isFailing) onError(toStagingError(`write ${this.#file}`, error));
      this.#isFailing = true; // reported once; the next heartbeat retries
    }
  }
}
