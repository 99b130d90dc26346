/**
 * One watched database: opens it, follows its log, cuts L0 files into staging, takes images.
 *
 * It knows no destinations. Whoever runs it answers 'opened' with `begin`, and gets a 'staged'
 * event for every file whose bytes and name are durable, in the order of TXIDs but for images,
 * which are announced ('imaging') and may come after files above them.
 */

import fs from 'node:fs';
import type { Clock } from '../clock.ts';
import { isError, messageOf } from '../error.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { EngineEvent, FollowStats } from './events.ts';
import { Following } from './following.ts';
import { openDatabase, type OpenDatabase } from './opening.ts';
import type { DatabaseOptions } from './options.ts';
import { Staging, type StagedFile } from './staging.ts';

/** After a failure the database is opened again; the wait doubles from here to the maximum. */
const REOPEN_MS_MIN = 1_000;
const REOPEN_MS_MAX = 60_000;

export interface EngineContext {
  readonly options: DatabaseOptions;
  readonly kernel: Kernel;
  readonly emit: (event: EngineEvent) => void;
  readonly clock: Clock;
  /** Default TAIL_BYTES_MAX. */
  readonly tailBytesMax?: number | undefined;
}

/** From where TXIDs go on: 'resume' after the proved one, 'image' above `floor`. */
export interface BeginOrder {
  readonly mode: 'resume' | 'image';
  /** The highest TXID anywhere: staged, or at a destination. */
  readonly floor: bigint;
  readonly why: string;
}

export class Engine {
  readonly #context: EngineContext;
  readonly #staging: Staging;
  #following: Following | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reopenMs = REOPEN_MS_MIN;
  #said: string | undefined;
  #newest: StagedFile | undefined;
  #closing: 'no' | 'yes' = 'no';
  #lostIndex = false;
  /** Settles when no opening and no failing is under way. */
  #work: Promise<void> = Promise.resolve();

  constructor(context: EngineContext) {
    this.#context = context;
    this.#staging = new Staging(context.options.metaPath);
  }

  start(): void {
    this.#later(0);
  }

  /** Answers 'opened'. Files are cut from here on. */
  begin(order: BeginOrder): void {
    this.#following?.begin(order);
  }

  /** Takes an image that is the next commit: what follows does not hang on what came before. */
  image(order: { floor: bigint; why: string }): void {
    this.#following?.image(order);
  }

  /** Takes a snapshot (level 9) of the present state, beside the following. */
  snapshot(): void {
    this.#following?.snapshot();
  }

  /** Cuts what is committed now. Resolves when it is staged; undefined where nothing is followed. */
  async sync(): Promise<bigint | undefined> {
    return await this.#following?.sync();
  }

  stats(): FollowStats | undefined {
    return this.#following?.stats();
  }

  /** Cuts what is left, lets go of the database. Where nobody else uses it, no WAL is left beside it. */
  async close(): Promise<void> {
    this.#closing = 'yes';
    clearTimeout(this.#timer);
    await this.#work;
    const following = this.#following;
    this.#following = undefined;
    if (following === undefined) return;
    try {
      await following.end(); // an image is given up, and taken at the next start
    } finally {
      await following.close('keep the log');
    }
  }

  #later(delayMs: number): void {
    if (this.#closing === 'yes') return;
    this.#timer = setTimeout(() => {
      this.#work = this.#open();
    }, delayMs);
  }

  async #open(): Promise<void> {
    const { options, emit, clock, kernel } = this.#context;
    const absent = whyAbsent(options.path);
    if (absent !== undefined) {
      if (this.#said !== absent) emit({ kind: 'waiting', why: absent });
      this.#said = absent;
      this.#later(options.monitorIntervalMs);
      return;
    }
    this.#said = undefined;
    let database: OpenDatabase | undefined;
    try {
      const staged = await this.#staging.open();
      this.#newest = staged.at(-1);
      const position = await this.#staging.readPosition();
      database = openDatabase({
        options,
        kernel,
        position,
        newest: this.#newest,
        clock,
        lostIndex: this.#lostIndex,
        tailBytesMax: this.#context.tailBytesMax,
      });
      this.#follow(database, staged);
    } catch (error) {
      database?.connections.close('keep the log');
      database?.wal.close();
      this.#fail(error);
    }
  }

  #follow(database: OpenDatabase, staged: readonly StagedFile[]): void {
    const { connections, start } = database;
    this.#following = new Following({
      ...this.#context,
      staging: this.#staging,
      database,
      newestStaged: this.#newest?.maxTXID,
      onFailure: (error) => {
        this.#lostIndex ||= database.guard.lostIndex;
        this.#work = this.#restart(error);
      },
    });
    this.#reopenMs = start.kind === 'proved' ? REOPEN_MS_MIN : this.#reopenMs;
    if (database.links > 1) this.#warnOfLinks(database);
    this.#context.emit({
      kind: 'opened',
      proved: start.kind === 'proved' ? start.position.txid : undefined,
      why: start.kind === 'proved' ? undefined : start.why,
      staged,
      pageSize: connections.pageSize,
      switchedToWAL: connections.journalMode.switched ? 'yes' : 'no',
    });
  }

  /** SQLite names the WAL after the path: whoever opens the file by another name has another WAL. */
  #warnOfLinks({ path, links }: OpenDatabase): void {
    const message =
      `${path} has ${links} hard links: whoever opens the database by another name than this one ` +
      'has another WAL, is not replicated, and may damage the database; use one name only';
    this.#context.emit({ kind: 'notice', level: 'warn', message });
  }

  /** Lets go of the database and opens it again: then its continuity is proved anew, or not. */
  async #restart(error: unknown): Promise<void> {
    const following = this.#following;
    this.#following = undefined;
    if (following === undefined) return;
    await following.close('keep the log');
    if (isError(error, 'WAL_INVALID')) await this.#staging.forgetPosition();
    this.#fail(error);
  }

  #fail(error: unknown): void {
    const code = isError(error) ? error.code : undefined;
    this.#context.emit({ kind: 'failed', code, message: messageOf(error) });
    this.#later(this.#reopenMs);
    this.#reopenMs = Math.min(this.#reopenMs * 2, REOPEN_MS_MAX);
  }
}

function whyAbsent(path: string): string | undefined {
  const stat = fs.statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return `${path} does not exist yet`;
  return stat.size === 0 ? `${path} is empty` : undefined;
}
