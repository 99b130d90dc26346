/**
 * `status.json` in the staging folder: rewritten when something has changed, and from time to time
 * where nothing has, so that its age tells another process whether we still run.
 *
 * It makes no folder: a staging folder that was moved away with its database is not made again.
 */

import path from 'node:path';
import type { Clock } from '../../clock.ts';
import { toStagingError } from '../../database/staging/staging-error.ts';
import { type FileSystem, replaceText } from '../../file-system.ts';
import { within } from '../waits.ts';
import type { DatabaseStatus } from './status.ts';

/** Rewritten at most so often. */
const WRITE_EVERY_MS = 1_000;
/** A disk that hangs does not keep us from ending. */
const LAST_WRITE_MS_MAX = 5_000;

/** Often enough that the file's age shows in time that we are gone, and seldom enough for a disk that sleeps. */
export function heartbeatMs(maxLagMs: number): number {
  return Math.min(HEARTBEAT_MS_MAX, maxLagMs / 4);
}

const HEARTBEAT_MS_MAX = 10_000;

export interface StatusFileContext {
  readonly status: () => DatabaseStatus;
  readonly clock: Clock;
  readonly files: FileSystem;
  readonly onError: (error: unknown) => void;
  /** Rewritten at least so often. */
  readonly heartbeatMs: number;
}

export class StatusFile {
  readonly #file: string;
  readonly #context: StatusFileContext;
  #heartbeat: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  /** Asked for while it was being written. */
  #isAskedAgain = false;
  #triedAt = -Infinity;
  /** When it was last written, or began to be owed; undefined before the folder is ours. */
  #writtenAt: number | undefined;
  #isFailing = false;

  constructor(folder: string, context: StatusFileContext) {
    this.#file = path.join(folder, 'status.json');
    this.#context = context;
  }

  /** By the monotonic clock; undefined where it is not owed. */
  get writtenAt(): number | undefined {
    return this.#writtenAt;
  }

  /** The folder is ours. Before that nothing is written: it may be another process that tells. */
  begin(): void {
    const { clock, heartbeatMs } = this.#context;
    this.#writtenAt ??= clock.monotonic();
    this.#heartbeat ??= setInterval(() => void this.write(), heartbeatMs);
    this.#heartbeat.unref();
    this.touch();
  }

  /** Something has changed: the file will tell. */
  touch(): void {
    if (this.#writtenAt === undefined || this.#timer !== undefined) return;
    const wait = Math.max(0, this.#triedAt + WRITE_EVERY_MS - this.#context.clock.monotonic());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.write();
    }, wait);
    this.#timer.unref();
  }

  /** Resolves when a state that is no older than this call is written, or could not be. */
  async write(): Promise<void> {
    if (this.#writtenAt === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#writing === undefined) this.#writing = this.#writeAll();
    else this.#isAskedAgain = true;
    await this.#writing;
  }

  /** The last write; given up after a while. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    await within(LAST_WRITE_MS_MAX, this.write());
    clearTimeout(this.#timer);
  }

  async #writeAll(): Promise<void> {
    do {
      this.#isAskedAgain = false;
      await this.#write();
    } while (this.#isAskedAgain);
    this.#writing = undefined;
  }

  async #write(): Promise<void> {
    const { clock, files, onError, status } = this.#context;
    const at = clock.monotonic();
    this.#triedAt = at;
    try {
      await replaceText(files, this.#file, `${JSON.stringify(status(), undefined, 2)}\n`);
      this.#writtenAt = at;
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) onError(toStagingError(`write ${this.#file}`, error));
      this.#isFailing = true; // said once, and tried again
    }
  }
}
