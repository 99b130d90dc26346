/**
 * One watched database: opens it, follows its log, cuts L0 files into staging, takes images.
 *
 * It knows no destinations. Whoever runs it answers 'opened' with `begin`, and gets a 'staged'
 * event for every file whose bytes and name are durable, in the order of TXIDs but for images,
 * which are announced ('imaging') and may come after files above them.
 */

import fs from 'node:fs';
import path from 'node:path';
import type { Clock } from '../clock.ts';
import { isError, messageOf } from '../error.ts';
import type { FileSystem } from '../file-system.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { highestOf } from '../ltx/txid.ts';
import type { Random } from '../random.ts';
import { toDatabaseError } from './sqlite/database-error.ts';
import type { Absence, EngineEvent, FollowStats } from './events.ts';
import { Following } from './following.ts';
import type { Gauges } from './gauges.ts';
import { openDatabase, type OpenDatabase } from './opening.ts';
import type { DatabaseOptions } from './options.ts';
import { checkStaged, type FoundFile } from './staging/staged-check.ts';
import { Staging, type StagedFile } from './staging/staging.ts';

/** After a failure the database is opened again; the wait doubles from here to the maximum. */
const REOPEN_MS_MIN = 1_000;
const REOPEN_MS_MAX = 60_000;

export interface EngineContext {
  readonly options: DatabaseOptions;
  readonly kernel: Kernel;
  readonly emit: (event: EngineEvent) => void;
  readonly clock: Clock;
  readonly random: Random;
  /** Of the staging folder. */
  readonly files: FileSystem;
  /** What is noted for whoever must see that we stand still. */
  readonly gauges: Gauges;
  /** Staged files up to this TXID are at every destination: their bytes are not read at a start. */
  readonly sentEverywhere?: bigint | undefined;
  /** Default TAIL_BYTES_MAX. */
  readonly tailBytesMax?: number | undefined;
  /** Default TICK_BYTES_MAX. */
  readonly tickBytesMax?: number | undefined;
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
  #said: Absence | undefined;
  /** The log was not what it has to be: what the position says of it proves nothing. */
  #distrustsPosition = false;
  /** Whether all that was staged when this process began has been read whole. */
  #hasChecked = false;
  #closing: 'no' | 'yes' = 'no';
  #lostIndex = false;
  /** Settles when no opening and no failing is under way. */
  #work: Promise<void> = Promise.resolve();

  constructor(context: EngineContext) {
    this.#context = context;
    this.#staging = new Staging(context.options.metaPath, context.files);
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
    } catch (error) {
      this.#tellFailure(error); // what was not cut is in the log, which stays
    }
  }

  /** Lets go of the database and opens it again after a while: whoever runs this could not go on. */
  reopen(why: unknown): void {
    this.#work = this.#reopenAfter(this.#work, why);
  }

  #later(delayMs: number): void {
    if (this.#closing === 'yes') return;
    this.#timer = setTimeout(() => {
      this.#work = this.#open();
    }, delayMs);
  }

  async #open(): Promise<void> {
    const { options, emit, kernel } = this.#context;
    let database: OpenDatabase | undefined;
    try {
      const absent = whyAbsent(options.path);
      if (absent !== undefined) {
        if (this.#said !== absent) {
          emit({ kind: 'waiting', absence: absent, why: describeAbsence(options.path, absent) });
        }
        this.#said = absent;
        this.#later(options.monitorIntervalMs);
        return;
      }
      this.#said = undefined;
      await this.#forgetDistrusted();
      const { files, highest } = await this.#staging.open();
      const staged = await this.#checkStaged(files);
      const position = await this.#staging.readPosition();
      database = openDatabase({
        options,
        kernel,
        position,
        newest: staged.at(-1)?.file,
        clock: this.#context.clock,
        random: this.#context.random,
        lostIndex: this.#lostIndex,
        tailBytesMax: this.#context.tailBytesMax,
        tickBytesMax: this.#context.tickBytesMax,
      });
      this.#follow(database, staged, highestOf(highest, position?.txid));
    } catch (error) {
      database?.connections.close('keep the log');
      database?.wal.close();
      this.#fail(error);
    }
  }

  /** What is staged and whole. What is damaged is removed: whoever lacks it is seeded anew. */
  async #checkStaged(files: readonly StagedFile[]): Promise<readonly FoundFile[]> {
    const { kernel, clock, files: fileSystem, sentEverywhere = 0n } = this.#context;
    const { found, damaged } = await checkStaged(files, {
      files: fileSystem,
      kernel,
      clock,
      depthOf: (file) => (this.#hasChecked || file.maxTXID <= sentEverywhere ? 'ends' : 'whole'),
    });
    this.#hasChecked = true; // what comes later this process has made
    for (const { file, why } of damaged) {
      this.#notice(`removing the damaged staged file ${file.path}: ${why}`);
      await this.#staging.remove(file);
    }
    return found;
  }

  #follow(database: OpenDatabase, staged: readonly FoundFile[], lastTXID: bigint): void {
    const { connections, start } = database;
    this.#following = new Following({
      ...this.#context,
      staging: this.#staging,
      database,
      lastTXID,
      newestStampMs: staged.at(-1)?.timestampMs ?? 0,
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
      lastTXID,
      pageSize: connections.pageSize,
      switchedToWAL: connections.journalMode.switched ? 'yes' : 'no',
    });
  }

  /** SQLite names the WAL after the path: whoever opens the file by another name has another WAL. */
  #warnOfLinks({ path, links }: OpenDatabase): void {
    this.#notice(
      `${path} has ${links} hard links: a process that opens the database by another name ` +
        'uses another WAL, is not replicated, and may damage the database; use one name only',
    );
  }

  /** Lets go of the database and opens it again: then its continuity is proved anew, or not. */
  async #restart(error: unknown): Promise<void> {
    const following = this.#following;
    this.#following = undefined;
    if (following === undefined) return;
    this.#distrustsPosition ||= isError(error, 'WAL_INVALID');
    try {
      await following.close('keep the log');
      await this.#forgetDistrusted();
    } catch (closing) {
      this.#notice(`close ${this.#context.options.path}: ${messageOf(closing)}`);
    }
    this.#fail(error);
  }

  async #reopenAfter(work: Promise<void>, why: unknown): Promise<void> {
    await work;
    await this.#restart(why);
  }

  async #forgetDistrusted(): Promise<void> {
    if (this.#distrustsPosition) await this.#staging.forgetPosition();
    this.#distrustsPosition = false;
  }

  #notice(message: string): void {
    this.#context.emit({ kind: 'notice', level: 'warn', message });
  }

  #tellFailure(error: unknown): void {
    const { code, message } = toDatabaseError(error, this.#context.options);
    this.#context.emit({ kind: 'failed', code, message });
  }

  #fail(error: unknown): void {
    this.#tellFailure(error);
    this.#later(this.#reopenMs);
    this.#reopenMs = Math.min(this.#reopenMs * 2, REOPEN_MS_MAX);
  }
}

function whyAbsent(file: string): Absence | undefined {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat !== undefined) return stat.size === 0 ? 'empty' : undefined;
  return fs.existsSync(path.dirname(file)) ? 'no file' : 'no folder';
}

function describeAbsence(file: string, absence: Absence): string {
  switch (absence) {
    case 'no folder':
      return `${file} does not exist, and its folder does not exist: check the path`;
    case 'no file':
      return `${file} does not exist yet`;
    case 'empty':
      return `${file} is empty`;
  }
}
