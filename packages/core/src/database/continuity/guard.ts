/**
 * Watches, while a database is followed, that it stays the file that was opened.
 *
 * Its path, its WAL and its wal-index must name the files that they named at the opening. And in WAL
 * mode only checkpoints write to the database file, of frames that we hold: so a file that was
 * written while nothing was left to backfill, or that has other pages than the log had, was replaced
 * in place (cp, a backup written over it). Then the log says nothing about it, and a full snapshot is
 * due. All of it is a few calls of stat, and some pages read where the file has changed.
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
import { PageWitnesses } from './witnesses.ts';

/** How often it is looked at while the database is written all the time. */
const CHECK_EVERY_MS = 500;
/** A checkpoint publishes its progress after it has written. When that takes longer, it has to be under way still. */
const UNEXPLAINED_MS_MAX = 1_000;

export interface GuardContext {
  /** As configured: it may lead over symbolic links. */
  readonly configured: string;
  /** Where the database really lies, and what SQLite keeps beside it. */
  readonly path: string;
  readonly descriptor: number;
  readonly pageSize: number;
  readonly kernel: Kernel;
  readonly wal: WALReader;
  readonly random: Random;
  /** What the file showed once the first reader had begun. */
  readonly opened: FileStamp;
  /** The log that there was then, and how many frames of it were backfilled. */
  readonly openedLog: WALHeader | undefined;
  readonly backfilled: number;
  /** The log up to the frame that is held. */
  readonly log: WALHeader | undefined;
  readonly held: number;
  /** Whether a wal-index of this database was lost while it was followed. */
  readonly lostIndex: boolean;
  /** Makes a checkpoint as far as it goes without waiting: 'busy' while somebody else makes one. */
  readonly checkpoint: () => 'done' | 'busy';
  /** How far the log is committed and backfilled at this moment. */
  readonly ask: () => SeenLog;
}

/** 'unexplained': it was written to, and there are frames that a checkpoint may be backfilling. */
type Explanation = 'vouched' | 'unexplained' | { readonly foreign: string };

export interface SeenLog {
  readonly log: number;
  readonly checkpointed: number;
}

export class FileGuard {
  readonly #context: GuardContext;
  readonly #witnesses: PageWitnesses;
  readonly #index: FileStamp | undefined;
  #log: WALHeader | undefined;
  /** Frames of all logs before this one that we held, so that frames can be counted over all logs. */
  #framesBefore = 0;
  #held: number;
  #backfilled: number;
  #seen: SeenLog | undefined;
  /** The file as it was when all that had been written to it was explained, and by how many frames. */
  #vouched: { readonly stamp: FileStamp; readonly backfilled: number };
  #unexplainedSince: number | undefined;
  readonly #unseen: UnseenCommits;
  /** Whether the wal-index was lost: whoever had it open may still commit through it. */
  lostIndex: boolean;
  #nextCheckAt = 0;

  constructor(context: GuardContext) {
    this.#context = context;
    this.#log = context.log;
    this.#held = context.held;
    this.#witnesses = new PageWitnesses(context.held); // what the log had before was not shown to us
    this.#backfilled = context.backfilled;
    this.#vouched = { stamp: context.opened, backfilled: context.backfilled };
    this.#index = readStamp(indexOf(context.path));
    this.lostIndex = context.lostIndex;
    this.#unseen = new UnseenCommits(context.wal, context.lostIndex ? 'none' : 'one');
  }

  /** Committed frames as they are read, each once. */
  add(batch: FrameBatch): void {
    if (!isSameLog(this.#log, batch.header)) this.#begin(batch.header);
    const { kernel, openedLog, backfilled } = this.#context;
    const isOpenedLog = this.#framesBefore === 0 && isSameLog(openedLog, batch.header);
    for (let index = 0; index < batch.count; index++) {
      const pgno = batch.pgnos[index] ?? 0;
      const commit = batch.commits[index] ?? 0;
      const frame = this.#framesBefore + batch.first + index;
      // What was backfilled before we came is not ours to answer for.
      if (!isOpenedLog || frame > backfilled) {
        this.#witnesses.add(pgno, frame, () => kernel.crc64(batch.page(index)));
      }
      if (commit !== 0) this.#witnesses.shrinkTo(commit);
    }
    this.#held = batch.first + batch.count - 1;
  }

  /** What SQLite said of the log, after `add` has had all of its frames. */
  observe({ log, checkpointed }: SeenLog): void {
    this.#seen = { log, checkpointed };
    if (log === 0) this.#begin(undefined);
    this.#backfilled = this.#framesBefore + checkpointed;
    // A wal-index that was recovered knows of no progress, and all of the log is backfilled again.
    if (this.#backfilled < this.#vouched.backfilled) {
      this.#vouched = { stamp: this.#vouched.stamp, backfilled: this.#backfilled };
    }
  }

  /** DATABASE_REPLACED, or WAL_INVALID for what lies beside it, where a path names another file than at the opening. */
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
      this.lostIndex = true;
      throw this.#lost('the wal-index (-shm)');
    }
    return stamp;
  }

  /**
   * The same for what the file and its log show; when that is due. Call right after SQLite was asked for
   * its log, of which `add` and `observe` have had all: a commit beyond that is one which it does not show.
   */
  checkWhenDue(
    now: number,
    { log, place }: { readonly log: number; readonly place: LogPlace },
  ): void {
    if (now < this.#nextCheckAt) return;
    this.#nextCheckAt = now + CHECK_EVERY_MS;
    if (this.#unseen.find(place, log, now)) throw this.#unseenCommits();
    this.check(now);
  }

  /**
   * The same for what the file shows. Call after SQLite was asked for its log, of which `add` and `observe`
   * have had all, and before the reader moves: then no frame can have been backfilled that we do not hold.
   */
  check(now: number): 'vouched' | 'unexplained' {
    const found = this.#explain(this.checkNames());
    if (found === 'vouched') {
      this.#witnesses.trust(this.#backfilled, this.#hashPage, this.#drawPage);
      return 'vouched';
    }
    const foreign = found === 'unexplained' ? this.#await(now) : found.foreign;
    if (foreign !== undefined) throw this.#replaced(foreign);
    return 'unexplained';
  }

  /** What the file shows, for a position; undefined while that is being changed. Throws as `checkNames`. */
  evidence(): FileEvidence | undefined {
    if (this.#explain(this.checkNames()) !== 'vouched') return undefined; // the next check says why
    const evidence = readEvidence(this.#context.descriptor, this.#context.kernel);
    const { stamp } = this.#vouched;
    return evidence !== undefined && !isWritten(evidence, stamp) ? evidence : undefined;
  }

  /** A log that was begun anew, or none: what came before was held and backfilled to its end. */
  #begin(log: WALHeader | undefined): void {
    this.#framesBefore += this.#held;
    this.#held = 0;
    this.#log = log;
  }

  /** Whether what the file shows can come from checkpoints. Then it is what is compared with next. */
  #explain(stamp: FileStamp): Explanation {
    const vouched = this.#vouched;
    const isSame = !isWritten(stamp, vouched.stamp);
    const hasProgress = this.#backfilled > vouched.backfilled;
    // Also where only the progress is new: somebody may checkpoint into a file that has lost its name.
    const isNews = !isSame || hasProgress || stamp.changedNs !== vouched.stamp.changedNs;
    if (isNews) {
      const foreign = this.#witnesses.findForeign(this.#backfilled, this.#hashPage);
      if (foreign !== undefined) {
        return { foreign: `another program changed page ${foreign} of the file` };
      }
    }
    if (!isSame && !hasProgress) {
      return vouched.backfilled < this.#framesBefore + this.#held
        ? 'unexplained'
        : { foreign: 'the file was written to although its WAL had nothing to checkpoint' };
    }
    this.#vouched = { stamp, backfilled: this.#backfilled };
    this.#unexplainedSince = undefined;
    return 'vouched';
  }

  /** A checkpoint may be under way: for as long as one of our own finds that it is. Gives why it was none. */
  #await(now: number): string | undefined {
    this.#unexplainedSince ??= now;
    if (now - this.#unexplainedSince < UNEXPLAINED_MS_MAX) return undefined;
    if (this.#hasProgress()) return undefined; // it ended after the look: the next one knows of it
    this.#unexplainedSince = now;
    if (this.#context.checkpoint() === 'busy') return undefined;
    return 'the file was written to, but not by a completed checkpoint';
  }

  #hasProgress(): boolean {
    const { log, checkpointed } = this.#context.ask();
    return checkpointed !== this.#seen?.checkpointed || log < this.#seen.log;
  }

  readonly #drawPage = (): number => {
    const { pageSize } = this.#context;
    const pages = Math.floor(Number(this.#vouched.stamp.sizeBytes) / pageSize);
    return 1 + Math.floor(this.#context.random.fraction() * pages);
  };

  readonly #hashPage = (pgno: number): bigint | undefined => {
    const { descriptor, pageSize, kernel } = this.#context;
    const page = new Uint8Array(pageSize);
    const length = readFullySync(descriptor, page, (pgno - 1) * pageSize);
    return length < pageSize ? undefined : kernel.crc64(page);
  };

  #lost(what: string): ReplicationError {
    return new ReplicationError(
      'WAL_INVALID',
      `follow ${this.#context.path}: ${what} was replaced or deleted during replication; Sluice opens it again and takes a full snapshot. ` +
        'Restart the application: its writes to a deleted file are lost',
    );
  }

  #unseenCommits(): ReplicationError {
    this.lostIndex = true;
    return new ReplicationError(
      'WAL_INVALID',
      `follow ${this.#context.path}: its WAL has commits that SQLite does not show: the wal-index (-shm) was deleted or replaced while an application had it open; ` +
        'restart the application; Sluice opens the database again and takes a full snapshot',
    );
  }

  #replaced(what: string): ReplicationError {
    return new ReplicationError(
      'DATABASE_REPLACED',
      `follow ${this.#context.path}: ${what} during replication; Sluice opens it again and takes a full snapshot`,
    );
  }
}

function indexOf(path: string): string {
  return `${path}-shm`;
}

/** undefined where nothing is there. */
function realPathOf(path: string): string | undefined {
  try {
    return fs.realpathSync.native(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw error;
  }
}
