/**
 * A database that was closed because nothing was committed for a while. Its files are watched and compared with what
 * they were when it was closed. A closed database costs no descriptor and almost no memory.
 *
 * Nothing is assumed about the time in between: as soon as a file differs, the database is opened again, and the
 * opening proves continuity or not, as after a restart (continuity/proof.ts). So only one thing must be right here:
 * every commit is noticed. A commit writes frames to the WAL, and either continues it, which is seen in the header of
 * the frame after the last one, or restarts it, which is seen in the header of the WAL. The times and sizes of the
 * files are compared too: they show a file that was replaced, and writes that bypass the WAL. Programs can set back the
 * modification time (cp -p, rsync -t), but not the time of the last change.
 */

import fs from 'node:fs';
import { alignedMs, type Clock } from '../clock.ts';
import { messageOf } from '../error.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { isSameLog, type WALHeader } from '../wal/header.ts';
import { WALReader } from '../wal/reader.ts';
import { isSameFile, isWritten, type FileStamp } from './continuity/evidence.ts';
import { readStamp } from './continuity/file.ts';
import type { Gauges } from './gauges.ts';
import type { IdlePolls } from './idle/idle-polls.ts';
import { UNWATCHED_POLL_MS } from './loop.ts';
import type { OpenDatabase } from './opening.ts';
import type { DatabaseOptions } from './options.ts';
import { closeLikeApplication } from './sqlite/connections.ts';

/** A larger database stays open: if continuity cannot be proved later, all of it must be read. */
export const IDLE_BYTES_MAX: number = 256 * 1024 * 1024;

/**
 * Of so many polls one compares everything, the others only sizes and times. They suffice for a commit that is made after
 * everything was compared, unless the clock is set back just then.
 */
const POLLS_PER_COMPARISON = 4;

/** How the files of a database looked when it was closed. */
export interface IdleFiles {
  /** The path in the configuration. */
  readonly configured: string;
  /** Its real path. */
  readonly path: string;
  readonly stamp: FileStamp;
  /** undefined: there was no WAL. */
  readonly logStamp: FileStamp | undefined;
  readonly header: WALHeader | undefined;
  /** Number of frames in the log. All of them are staged and backfilled. */
  readonly frame: number;
  /** The newest staged TXID. */
  readonly txid: bigint;
}

export interface IdleContext {
  readonly files: IdleFiles;
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly gauges: Gauges;
  readonly options: Pick<DatabaseOptions, 'monitorIntervalMs' | 'maxLagMs'>;
  readonly polls: IdlePolls;
  /** Called once, when a file has changed. */
  readonly onChange: () => void;
}

export class IdleDatabase {
  readonly #context: IdleContext;
  #watcher: fs.FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #polls = 0;

  constructor(context: IdleContext) {
    this.#context = context;
    const { path } = context.files;
    const log = this.#watch(`${path}-wal`);
    // A commit writes to the WAL. Without a WAL, what is left to see is a file that is replaced or written directly.
    const isWatched = log !== 'failed' && (log === 'watched' || this.#watch(path) !== 'failed');
    context.polls.add();
    const { monitorIntervalMs } = context.options;
    this.#poll(isWatched ? monitorIntervalMs : Math.min(monitorIntervalMs, UNWATCHED_POLL_MS));
  }

  get txid(): bigint {
    return this.#context.files.txid;
  }

  /** If not, everything committed before the call is staged. */
  hasChanged(depth: 'everything' | 'times' = 'everything'): boolean {
    const { clock, files, gauges, kernel } = this.#context;
    const at = clock.monotonic();
    const isSame = depth === 'everything' ? isUnchanged(files, kernel) : areTimesUnchanged(files);
    if (!isSame) return true;
    gauges.raise('lookedAt', at);
    gauges.raise('stagedAsOf', at);
    return false;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#context.polls.remove();
    this.#context.gauges.set('idlePollMs', 0);
    clearTimeout(this.#timer);
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /**
   * Closes it for good. Leaves no log beside a database that no other process uses, unless something was committed:
   * then the next start reads it.
   */
  end(notice: (message: string) => void): void {
    this.close();
    if (this.hasChanged()) return;
    const { path } = this.#context.files;
    try {
      closeLikeApplication(path);
    } catch (error) {
      notice(`close ${path}: ${messageOf(error)}`);
    }
  }

  #poll(pollMs: number): void {
    const { clock, gauges, options, polls } = this.#context;
    const waitMs = polls.intervalMs(pollMs, options.maxLagMs / 4); // as for monitor-interval
    gauges.set('idlePollMs', Math.ceil(waitMs));
    this.#timer = setTimeout(
      () => {
        this.#check(this.#polls++ % POLLS_PER_COMPARISON === 0 ? 'everything' : 'times');
        if (!this.#isClosed) this.#poll(pollMs);
      },
      alignedMs(clock, waitMs),
    );
  }

  #check(depth: 'everything' | 'times'): void {
    if (this.#isClosed || !this.hasChanged(depth)) return;
    this.close();
    this.#context.onChange();
  }

  /** A missing file is found by the poll. */
  #watch(file: string): 'watched' | 'missing' | 'failed' {
    try {
      const check = (): void => this.#check('everything');
      const watcher = fs.watch(file, { persistent: false }, check);
      watcher.on('error', check);
      this.#watcher = watcher;
      return 'watched';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'missing' : 'failed';
    }
  }
}

/**
 * How the files look now; undefined if there is something behind the log that could be a commit. Call while the
 * database is open and all of its log is staged, and look for commits again after it.
 */
export function readIdleFiles(
  database: OpenDatabase,
  configured: string,
  txid: bigint,
): IdleFiles | undefined {
  const { path, wal, follower } = database;
  const stamp = readStamp(path);
  if (stamp === undefined) return undefined;
  const header = wal.readHeader();
  const { place } = follower;
  const frame = isSameLog(header, place.header) ? place.frame : 0;
  const logStamp = readStamp(`${path}-wal`);
  const files = { configured, path, stamp, logStamp, header, frame, txid };
  return hasFrameAfter(files, wal) ? undefined : files;
}

/** Any error counts as a change, here and in `isUnchanged`: the opening reports it. */
function areTimesUnchanged({ path, stamp, logStamp }: IdleFiles): boolean {
  try {
    const now = readStamp(path);
    if (!isSame(stamp, now) || stamp.changedNs !== now?.changedNs) return false;
    return isSame(logStamp, readStamp(`${path}-wal`));
  } catch {
    return false;
  }
}

function isUnchanged(files: IdleFiles, kernel: Kernel): boolean {
  const { configured, path, header } = files;
  const reader = new WALReader(`${path}-wal`, kernel);
  try {
    if (fs.realpathSync.native(configured) !== path) return false;
    if (!areTimesUnchanged(files)) return false;
    return isSameLog(reader.readHeader(), header) && !hasFrameAfter(files, reader);
  } catch {
    return false;
  } finally {
    reader.close();
  }
}

function hasFrameAfter({ header, frame }: IdleFiles, wal: WALReader): boolean {
  const next = header && wal.readFrameHeader(frame + 1, header);
  return next !== undefined && next.salt1 === header?.salt1 && next.salt2 === header.salt2;
}

function isSame(a: FileStamp | undefined, b: FileStamp | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return isSameFile(a, b) && !isWritten(a, b);
}
