/**
 * Verifies that a followed database is still the file that was opened.
 *
 * The paths of the database, its WAL and its wal-index must still name the files that were opened. In
 * WAL mode only checkpoints write to the database file, and only frames that we hold. So a file that
 * was written to while nothing was left to backfill, or whose pages differ from the log, was
 * overwritten in place (cp, a restored backup). Then the log does not describe the file, and a full
 * snapshot is needed. The check costs a few stat calls, and a few page reads if the file has changed.
 */

import fs from 'node:fs';
import { ReplicationError } from '../../error.ts';
import { readFullySync } from '../../file-io.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Random } from '../../random.ts';
import type { LogPlace } from '../../wal/frame.ts';
import { isSameLog, type WALHeader } from '../../wal/header.ts';
import type { FrameBatch, WALReader } from '../../wal/reader.ts';
import { isSameFile, isWritten, type FileEvidence, type FileStamp } from './evidence.ts';
import { readEvidence, readStamp } from './file.ts';
import { UnseenCommits } from './unseen.ts';
import { PageSample } from './page-sample.ts';

/** Minimum time between checks while the database is being written to. */
const CHECK_EVERY_MS = 500;
/** The same after a check that a running checkpoint left without a result. */
const CHECK_AGAIN_MS = 50;
/** Maximum time from a write of a checkpoint to its published progress, unless it is still running. */
const UNEXPLAINED_MS_MAX = 1_000;

/** Errors of SQLite that no content of the file causes: a lock is held, or a write has failed, as on a full disk. */
const NOT_OF_CONTENT = /^SQLITE_(BUSY|LOCKED|PROTOCOL|FULL|IOERR_(WRITE|FSYNC|DIR_FSYNC|TRUNCATE))/;

export interface GuardContext {
  /** The configured path. It may contain symbolic links. */
  readonly configured: string;
  /** The real path of the database. SQLite keeps the WAL and the wal-index beside it. */
  readonly path: string;
  readonly descriptor: number;
  readonly pageSize: number;
  readonly kernel: Kernel;
  readonly wal: WALReader;
  readonly random: Random;
  /** Stamp of the file after the first read transaction began. */
  readonly opened: FileStamp;
  /** The log at that time, and how many of its frames were backfilled. */
  readonly openedLog: WALHeader | undefined;
  readonly backfilled: number;
  /** The log that is held, and the last held frame in it. */
  readonly log: WALHeader | undefined;
  readonly held: number;
  /** Whether a wal-index of this database was lost while the database was followed. */
  readonly hasLostIndex: boolean;
  /** Runs a PASSIVE checkpoint; 'busy' while another connection runs one. */
  readonly checkpoint: () => 'done' | 'busy';
  /** Reads how far the log is committed and backfilled. */
  readonly readLogState: () => SeenLog;
}

/** 'unexplained': the file was written to, possibly by a checkpoint that is still running. */
type Explanation = 'verified' | 'unexplained' | { readonly foreign: string };

export interface SeenLog {
  readonly log: number;
  readonly checkpointed: number;
}

export class FileGuard {
  readonly #context: GuardContext;
  readonly #sample: PageSample;
  readonly #index: FileStamp | undefined;
  #log: WALHeader | undefined;
  /** Number of frames in all earlier logs: frames are numbered across logs. */
  #framesBefore = 0;
  #held: number;
  #backfilled: number;
  #seen: SeenLog | undefined;
  /** Stamp of the file at the last successful check, and how many frames were backfilled then. */
  #verified: { readonly stamp: FileStamp; readonly backfilled: number };
  #unexplainedSince: number | undefined;
  readonly #unseen: UnseenCommits;
  /** Whether the wal-index was lost. Applications that have the old one open may still commit through it. */
  hasLostIndex: boolean;
  #nextCheckAt = 0;
  #verifiedAt = -Infinity;

  constructor(context: GuardContext) {
    this.#context = context;
    this.#log = context.log;
    this.#held = context.held;
    this.#sample = new PageSample(context.held); // earlier frames of the log were never read
    this.#backfilled = context.backfilled;
    this.#verified = { stamp: context.opened, backfilled: context.backfilled };
    this.#index = readStamp(indexOf(context.path));
    this.hasLostIndex = context.hasLostIndex;
    this.#unseen = new UnseenCommits(context.wal, context.hasLostIndex ? 'none' : 'one');
  }

  /** Adds committed frames. Each frame must be added exactly once. */
  add(batch: FrameBatch): void {
    if (!isSameLog(this.#log, batch.header)) this.#startLog(batch.header);
    this.#addToSample(batch);
    this.#held = batch.first + batch.count - 1;
  }

  /** Adds frames of the log that is held, up to the last one. Call before any other frames are added. */
  addHeld(batch: FrameBatch): void {
    this.#addToSample(batch);
  }

  /**
   * When the file was last seen to be the one that was opened, by the clock of `check`; -Infinity before
   * that. Commits after this time may be in a file that has replaced it.
   */
  get verifiedAt(): number {
    return this.#verifiedAt;
  }

  /** The file as it was when it was last verified. */
  get verifiedStamp(): FileStamp {
    return this.#verified.stamp;
  }

  /** Records the state of the log. Call after all of its frames were added. */
  observe({ log, checkpointed }: SeenLog): void {
    this.#seen = { log, checkpointed };
    if (log === 0) this.#startLog(undefined);
    this.#backfilled = this.#framesBefore + checkpointed;
    // A recovered wal-index starts without progress, and the whole log is backfilled again.
    if (this.#backfilled < this.#verified.backfilled) {
      this.#verified = { stamp: this.#verified.stamp, backfilled: this.#backfilled };
    }
  }

  /**
   * Throws DATABASE_REPLACED if the database path names another file than the one opened, and
   * WAL_INVALID if the path of the WAL or of the wal-index does.
   */
  checkNames(): FileStamp {
    const { configured, path, wal, opened } = this.#context;
    const stamp = readStamp(path);
    if (stamp === undefined || !isSameFile(stamp, opened)) {
      throw this.#replaced('the file was replaced or deleted');
    }
    if (realPathOf(configured) !== path) throw this.#replaced('its path now leads to another file');
    if (!wal.isSameFile()) throw this.#lost('the WAL');
    const index = readStamp(indexOf(path));
    const isSameIndex =
      index === undefined || this.#index === undefined
        ? index === this.#index
        : isSameFile(index, this.#index);
    if (!isSameIndex) {
      this.hasLostIndex = true;
      throw this.#lost('the wal-index (-shm)');
    }
    return stamp;
  }

  /**
   * Checks the file, and the log for unseen commits, if CHECK_EVERY_MS has passed. Call right after
   * reading the log state from SQLite, when `add` and `observe` have received all of it: a commit beyond
   * that is one that SQLite does not show.
   */
  checkWhenDue(
    now: number,
    { log, place }: { readonly log: number; readonly place: LogPlace },
  ): void {
    if (now < this.#nextCheckAt) return;
    this.#nextCheckAt = now + CHECK_EVERY_MS;
    if (this.#unseen.find(place, log, now)) throw this.#unseenCommits();
    if (this.check(now) === 'unexplained') this.#nextCheckAt = now + CHECK_AGAIN_MS;
  }

  /**
   * Checks names and pages of the file. Call after `add` and `observe` have received all that SQLite
   * reports of the log, and before the reader moves: then only held frames can have been backfilled.
   */
  check(now: number): 'verified' | 'unexplained' {
    const found = this.#explain(this.checkNames());
    if (found === 'verified') {
      this.#sample.setVerified(this.#backfilled, this.#hashPage, this.#drawPage);
      this.#verifiedAt = now;
      return 'verified';
    }
    if (found !== 'unexplained') throw this.#replaced(found.foreign);
    if (this.#waitForCheckpoint(now) === 'unknown') return 'unexplained';
    // A running checkpoint explains a write as well as a completed one does, and may take minutes.
    this.#verifiedAt = now;
    return 'verified';
  }

  /**
   * What is wrong with the file, if that explains `error` of SQLite, which reads nonsense from a file that
   * is being overwritten; otherwise `error`. If our own checkpoint has failed, it may have written frames that
   * were not added yet, so the pages of the file prove nothing.
   */
  causeOf(error: unknown, now: number): unknown {
    if (error instanceof ReplicationError) return error;
    try {
      if (!isOfContent(error)) this.checkNames();
      else this.check(now);
    } catch (found) {
      if (found instanceof ReplicationError) return found;
    }
    return error;
  }

  /** Evidence of the file, for a position; undefined while the file is being changed. Throws like `checkNames`. */
  evidence(): FileEvidence | undefined {
    if (this.#explain(this.checkNames()) !== 'verified') return undefined; // the next check throws the reason
    const evidence = readEvidence(this.#context.descriptor, this.#context.kernel);
    const { stamp } = this.#verified;
    return evidence !== undefined && !isWritten(evidence, stamp) ? evidence : undefined;
  }

  #addToSample(batch: FrameBatch): void {
    const { kernel, openedLog, backfilled } = this.#context;
    const isOpenedLog = this.#framesBefore === 0 && isSameLog(openedLog, batch.header);
    for (let index = 0; index < batch.count; index++) {
      const pgno = batch.pgnos[index] ?? 0;
      const commit = batch.commits[index] ?? 0;
      const frame = this.#framesBefore + batch.first + index;
      // Frames that were backfilled before the opening are not checked.
      if (!isOpenedLog || frame > backfilled) {
        this.#sample.add(pgno, frame, () => kernel.crc64(batch.page(index)));
      }
      if (commit !== 0) this.#sample.shrinkTo(commit);
    }
  }

  /** Starts a new log, or none. The previous log was held and backfilled completely. */
  #startLog(log: WALHeader | undefined): void {
    this.#framesBefore += this.#held;
    this.#held = 0;
    this.#log = log;
  }

  /** Whether checkpoints can explain the state of the file. If so, that state is the base of the next check. */
  #explain(stamp: FileStamp): Explanation {
    const verified = this.#verified;
    const isSame = !isWritten(stamp, verified.stamp);
    const hasProgress = this.#backfilled > verified.backfilled;
    // Progress alone counts too: a checkpoint may have written to a file that has lost its name.
    const hasChanged = !isSame || hasProgress || stamp.changedNs !== verified.stamp.changedNs;
    if (hasChanged) {
      const foreign = this.#sample.findForeign(this.#backfilled, this.#hashPage);
      if (foreign !== undefined) {
        return { foreign: `another program changed page ${foreign} of the file` };
      }
    }
    if (!isSame && !hasProgress) {
      return verified.backfilled < this.#framesBefore + this.#held
        ? 'unexplained'
        : { foreign: 'the file was written to although its WAL had nothing to checkpoint' };
    }
    this.#verified = { stamp, backfilled: this.#backfilled };
    this.#unexplainedSince = undefined;
    return 'verified';
  }

  /**
   * Allows a running checkpoint UNEXPLAINED_MS_MAX to end, and then starts one of our own, which shows
   * whether it is still running. Throws DATABASE_REPLACED if none is.
   */
  #waitForCheckpoint(now: number): 'unknown' | 'running' {
    this.#unexplainedSince ??= now;
    if (now - this.#unexplainedSince < UNEXPLAINED_MS_MAX) return 'unknown';
    if (this.#hasProgress()) return 'unknown'; // it ended just now: the next check includes it
    this.#unexplainedSince = now;
    if (this.#context.checkpoint() === 'busy') return 'running';
    throw this.#replaced('the file was written to, but not by a completed checkpoint');
  }

  #hasProgress(): boolean {
    const { log, checkpointed } = this.#context.readLogState();
    return checkpointed !== this.#seen?.checkpointed || log < this.#seen.log;
  }

  readonly #drawPage = (): number => {
    const { pageSize } = this.#context;
    const pages = Math.floor(Number(this.#verified.stamp.sizeBytes) / pageSize);
    return 1 + Math.floor(this.#context.random.fraction() * pages);
  };

  readonly #hashPage = (pgno: number): bigint | undefined => {
    const { descriptor, pageSize, kernel } = this.#context;
    const page = new Uint8Array(pageSize);
    const length = readFullySync(descriptor, page, (pgno - 1) * pageSize);
    return length < pageSize ? undefined : kernel.crc64(page);
  };

  #lost(file: string): ReplicationError {
    return new ReplicationError(
      'WAL_INVALID',
      `follow ${this.#context.path}: ${file} was replaced or deleted during replication; Sluice opens it again and takes a full snapshot. ` +
        'Restart the application: its writes to a deleted file are lost',
    );
  }

  #unseenCommits(): ReplicationError {
    this.hasLostIndex = true;
    return new ReplicationError(
      'WAL_INVALID',
      `follow ${this.#context.path}: its WAL has commits that SQLite does not show: the wal-index (-shm) was deleted or replaced while an application had it open; ` +
        'restart the application; Sluice opens the database again and takes a full snapshot',
    );
  }

  #replaced(reason: string): ReplicationError {
    return new ReplicationError(
      'DATABASE_REPLACED',
      `follow ${this.#context.path}: ${reason} during replication; Sluice opens it again and takes a full snapshot`,
    );
  }
}

function isOfContent(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code !== 'string' || !NOT_OF_CONTENT.test(code);
}

function indexOf(path: string): string {
  return `${path}-shm`;
}

/** The real path; undefined if the file does not exist. */
function realPathOf(path: string): string | undefined {
  try {
    return fs.realpathSync.native(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw error;
  }
}
