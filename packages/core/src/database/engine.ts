/**
 * The engine of one watched database: opens it, follows its log, cuts L0 files into the staging folder,
 * and takes images.
 *
 * It does not deal with destinations. The caller answers each 'opened' event with `begin`. The engine
 * emits a 'staged' event for every file once its bytes and name are durable, in TXID order. Images are
 * the exception: they are announced ('imaging') and may be staged after files with higher TXIDs.
 */

import type { Clock } from '../clock.ts';
import { isError, messageOf } from '../error.ts';
import type { FileSystem } from '../file-system.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { highestOf } from '../ltx/txid.ts';
import type { Random } from '../random.ts';
import { describeAbsence, whyAbsent } from './absence.ts';
import { Checksums } from './checksums/checksums.ts';
import { toDatabaseError } from './sqlite/database-error.ts';
import type { Absence, EngineEvent, FollowStats, OpenedEvent } from './events.ts';
import { Following } from './following.ts';
import type { Gauges } from './gauges.ts';
import { IdleDatabase } from './idle-database.ts';
import { OpenDatabases } from './open-databases.ts';
import { openDatabase, type OpenDatabase } from './opening.ts';
import type { DatabaseOptions } from './options.ts';
import { checkStaged, type FoundFile } from './staging/staged-check.ts';
import { Staging, type StagedFile } from './staging/staging.ts';
import { nameUnnamed } from './staging/unnamed.ts';

/** Wait before a failed database is opened again. It doubles up to the maximum. */
const REOPEN_MS_MIN = 1_000;
const REOPEN_MS_MAX = 60_000;

export interface EngineContext {
  readonly options: DatabaseOptions;
  readonly kernel: Kernel;
  readonly emit: (event: EngineEvent) => void;
  readonly clock: Clock;
  readonly random: Random;
  /** File system of the staging folder. */
  readonly files: FileSystem;
  /** Progress counters in shared memory, from which the main thread detects a stalled engine. */
  readonly gauges: Gauges;
  /** Staged files up to this TXID are at every destination, so their bytes are not verified at startup. */
  readonly sentEverywhere?: bigint | undefined;
  /** Those of the thread. Default: there is no limit. */
  readonly openDatabases?: OpenDatabases | undefined;
  /** Default TAIL_BYTES_MAX. */
  readonly tailBytesMax?: number | undefined;
  /** Default TICK_BYTES_MAX. */
  readonly tickBytesMax?: number | undefined;
}

/**
 * How TXIDs continue: 'resume' after the proved one, 'changes' with the pages that differ from their
 * checksums, 'image' above `floor`.
 */
export interface BeginOrder {
  readonly mode: 'resume' | 'changes' | 'image';
  /** The highest TXID anywhere, staged or at a destination. */
  readonly floor: bigint;
  readonly why: string;
}

export class Engine {
  readonly #context: EngineContext;
  readonly #staging: Staging;
  readonly #checksums: Checksums;
  #following: Following | undefined;
  readonly #openDatabases: OpenDatabases;
  /** Whether it is open or being opened, and counted among the open databases. */
  #isCounted = false;
  /** Set while the database is closed because it is idle. */
  #idle: IdleDatabase | undefined;
  /** Resolves when an idle database is open and begun, or cannot be opened. undefined while none is being opened. */
  #waking: PromiseWithResolvers<void> | undefined;
  /** Images and snapshots that were requested while the database was idle. */
  #requests: ((following: Following) => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #reopenMs = REOPEN_MS_MIN;
  #reportedAbsence: Absence | undefined;
  /** Whether the log was invalid, so that the saved position proves nothing. */
  #isPositionInvalid = false;
  /** Whether the log was invalid or the file was replaced: then only a full snapshot may follow. */
  #areChecksumsInvalid = false;
  /** Whether the files staged by earlier processes have been verified. */
  #hasChecked = false;
  #isClosing = false;
  #hasLostIndex = false;
  /** Settles when no opening and no restart is in progress. */
  #work: Promise<void> = Promise.resolve();

  constructor(context: EngineContext) {
    this.#context = context;
    const { files, kernel, openDatabases, options, random } = context;
    this.#openDatabases = openDatabases ?? new OpenDatabases(Infinity);
    this.#staging = new Staging(options.metaPath, files);
    this.#checksums = new Checksums({
      folder: options.metaPath,
      files,
      kernel,
      random,
      notice: (level, message) => context.emit({ kind: 'notice', level, message }),
    });
  }

  start(): void {
    this.#later(0);
  }

  /** Starts cutting files. Call after each 'opened' event. */
  begin(order: BeginOrder): void {
    const following = this.#following;
    following?.begin(order);
    const requests = this.#requests.splice(0);
    // An image contains what a snapshot does.
    if (following !== undefined && order.mode !== 'image') {
      for (const request of requests) request(following);
    }
    this.#endWaking();
  }

  /** Takes an image under the next TXID: later files do not depend on earlier ones. */
  image(order: { floor: bigint; why: string }): void {
    this.#request((following) => following.image(order));
  }

  /** Takes a snapshot (level 9) of the current state, while the log is followed. */
  snapshot(): void {
    this.#request((following) => following.snapshot());
  }

  /**
   * Cuts everything committed so far. Resolves when it is staged; undefined if no database is followed. Waits for one
   * that is being opened. A missing one is looked for, and opened if it was created since.
   */
  async sync(): Promise<bigint | undefined> {
    if (this.#idle?.hasChanged() === false) return this.#idle.txid;
    this.#wake();
    if (this.#waking !== undefined) await this.#waking.promise;
    else if (this.#following === undefined) await this.#lookAgain();
    return await this.#following?.sync();
  }

  /** A sync will follow soon: until then, or for a short time, no file is cut by itself. */
  expectSync(): void {
    this.#following?.expectSync();
  }

  stats(): FollowStats | undefined {
    return this.#following?.stats();
  }

  /** Cuts the rest and closes the database. If no other process uses it, no WAL is left beside it. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    await this.#work;
    this.#leave();
    this.#endWaking();
    this.#idle?.end(this.#notice);
    this.#idle = undefined;
    const following = this.#following;
    this.#following = undefined;
    if (following === undefined) return;
    try {
      await following.end(); // cancels an image in progress; the next start takes it again
    } catch (error) {
      this.#reportFailure(error); // frames that were not cut stay in the log
    }
    await this.#checksums.close();
  }

  /** Closes the database and opens it again after a wait. Called if the caller could not continue. */
  reopen(why: unknown): void {
    this.#work = this.#work.then(() => this.#restart(why));
  }

  #request(request: (following: Following) => void): void {
    if (this.#idle === undefined && this.#waking === undefined) {
      if (this.#following !== undefined) request(this.#following);
      return;
    }
    this.#requests.push(request);
    this.#wake();
  }

  /** Closes the database if it is idle and certain to be completely staged. */
  async #rest(): Promise<void> {
    const following = this.#following;
    if (this.#isClosing || (await following?.rest.record()) !== true) return;
    if (this.#isClosing || this.#following !== following) return;
    const files = following?.rest.close();
    if (files === undefined) return;
    const { clock, gauges, kernel, options } = this.#context;
    this.#following = undefined;
    this.#idle = new IdleDatabase({
      ...{ files, kernel, clock, gauges, options, polls: this.#openDatabases.idlePolls },
      onChange: () => this.#wake(),
    });
    this.#leave();
    await this.#checksums.unload();
  }

  /** Opens an idle database. */
  #wake(): void {
    if (this.#idle === undefined || this.#isClosing) return;
    this.#idle.close();
    this.#idle = undefined;
    this.#waking = Promise.withResolvers();
    this.#work = this.#work.then(() => this.#open('idle'));
  }

  #endWaking(): void {
    this.#waking?.resolve();
    this.#waking = undefined;
  }

  /** Opens the database if it was created since it was last looked for. */
  async #lookAgain(): Promise<void> {
    const look = async (): Promise<void> => {
      if (this.#reportedAbsence === undefined || this.#isClosing) return; // the timer of another failure stays
      clearTimeout(this.#timer);
      await this.#open('start');
    };
    this.#work = this.#work.then(look);
    await this.#work;
  }

  #later(delayMs: number): void {
    if (this.#isClosing) return;
    this.#timer = setTimeout(() => {
      this.#work = this.#open('start');
    }, delayMs);
  }

  async #open(after: OpenedEvent['after']): Promise<void> {
    const { options, emit, kernel, clock, gauges } = this.#context;
    let database: OpenDatabase | undefined;
    try {
      const now = clock.monotonic();
      const absent = whyAbsent(options.path);
      if (absent !== undefined) {
        gauges.raise('absentAt', now);
        if (this.#reportedAbsence !== absent) {
          emit({ kind: 'waiting', absence: absent, why: describeAbsence(options.path, absent) });
        }
        this.#reportedAbsence = absent;
        this.#abandonRequests();
        this.#later(options.monitorIntervalMs);
        return;
      }
      this.#reportedAbsence = undefined;
      if (!(await this.#enter(after))) return;
      await this.#removeInvalid();
      await this.#staging.makeFolders();
      const { staged, highest } = await this.#findStaged(after);
      const position = await this.#staging.readPosition();
      await this.#checksums.load(staged.at(-1));
      database = openDatabase({
        options,
        kernel,
        position,
        newest: staged.at(-1)?.file,
        clock: this.#context.clock,
        random: this.#context.random,
        hasLostIndex: this.#hasLostIndex,
        tailBytesMax: this.#context.tailBytesMax,
        tickBytesMax: this.#context.tickBytesMax,
      });
      this.#follow(database, { after, staged, lastTXID: highestOf(highest, position?.txid) });
    } catch (error) {
      database?.connections.close('keep the log');
      database?.wal.close();
      database?.keep();
      this.#fail(error);
    }
  }

  /** Counts the database as open. Returns false if it is to be closed. */
  async #enter(after: OpenedEvent['after']): Promise<boolean> {
    if (after === 'idle') this.#openDatabases.enter();
    else if (!(await this.#openDatabases.enterInTurn(() => !this.#isClosing))) return false;
    this.#isCounted = true;
    return true;
  }

  #leave(): void {
    if (this.#isCounted) this.#openDatabases.leave();
    this.#isCounted = false;
  }

  /** After 'idle' only the newest file, which always stays: others may be freed at this time. */
  async #findStaged(after: OpenedEvent['after']): Promise<{
    readonly staged: readonly FoundFile[];
    readonly highest: bigint;
  }> {
    if (after === 'idle') {
      const files = (await this.#staging.list(0)).slice(-1);
      return { staged: await this.#checkStaged(files), highest: files[0]?.maxTXID ?? 0n };
    }
    await nameUnnamed(this.#staging, this.#context);
    const { files, highest } = await this.#staging.open();
    return { staged: await this.#checkStaged(files), highest };
  }

  /** Returns the intact staged files. Removes damaged ones; a destination that lacks one is re-seeded. */
  async #checkStaged(files: readonly StagedFile[]): Promise<readonly FoundFile[]> {
    const { kernel, clock, files: fileSystem, sentEverywhere = 0n } = this.#context;
    const { found, damaged } = await checkStaged(files, {
      files: fileSystem,
      kernel,
      clock,
      depthOf: (file) => (this.#hasChecked || file.maxTXID <= sentEverywhere ? 'ends' : 'whole'),
    });
    this.#hasChecked = true; // later files are written by this process
    for (const { file, why } of damaged) {
      this.#notice(`removing the damaged staged file ${file.path}: ${why}`);
      await this.#staging.remove(file);
    }
    return found;
  }

  #follow(
    database: OpenDatabase,
    { after, staged, lastTXID }: Pick<OpenedEvent, 'after' | 'staged' | 'lastTXID'>,
  ): void {
    const { connections, start } = database;
    this.#checksums.opened(connections.pageSize, database.guard.verifiedStamp);
    this.#following = new Following({
      ...this.#context,
      openDatabases: this.#openDatabases,
      staging: this.#staging,
      checksums: this.#checksums,
      database,
      lastTXID,
      newestTimestampMs: staged.at(-1)?.timestampMs ?? 0,
      onFailure: (error) => {
        this.#hasLostIndex ||= database.guard.hasLostIndex;
        this.#work = this.#restart(error);
      },
      onIdle: () => {
        // Its errors have ended the following, and were reported.
        this.#work = this.#work.then(() => this.#rest()).catch(() => undefined);
      },
    });
    this.#reopenMs = start.kind === 'proved' ? REOPEN_MS_MIN : this.#reopenMs;
    if (database.links > 1) this.#warnOfLinks(database);
    this.#context.emit({
      kind: 'opened',
      after,
      proved: start.kind === 'proved' ? start.position.txid : undefined,
      why: start.kind === 'proved' ? undefined : start.why,
      checksummed: this.#checksums.base?.txid,
      staged: after === 'start' ? staged : [],
      lastTXID,
      pageSize: connections.pageSize,
      switchedToWAL: connections.journalMode.switched,
    });
  }

  /** SQLite derives the name of the WAL from the path, so a process that uses another name has another WAL. */
  #warnOfLinks({ path, links }: OpenDatabase): void {
    this.#notice(
      `${path} has ${links} hard links: a process that opens the database by another name ` +
        'uses another WAL, is not replicated, and may damage the database; use one name only',
    );
  }

  /** Closes the database and opens it again, which checks its continuity again. */
  async #restart(error: unknown): Promise<void> {
    const following = this.#following;
    this.#following = undefined;
    if (following === undefined) return this.#failIdle(error);
    this.#isPositionInvalid ||= isError(error, 'WAL_INVALID');
    this.#areChecksumsInvalid ||= this.#isPositionInvalid || isError(error, 'DATABASE_REPLACED');
    try {
      await following.close('keep the log');
      await this.#checksums.close();
      await this.#removeInvalid();
    } catch (closing) {
      this.#notice(`close ${this.#context.options.path}: ${messageOf(closing)}`);
    }
    this.#fail(error);
  }

  async #removeInvalid(): Promise<void> {
    if (this.#isPositionInvalid) await this.#staging.removePosition();
    this.#isPositionInvalid = false;
    if (this.#areChecksumsInvalid) await this.#checksums.drop();
    this.#areChecksumsInvalid = false;
  }

  readonly #notice = (message: string): void => {
    this.#context.emit({ kind: 'notice', level: 'warn', message });
  };

  #reportFailure(error: unknown): void {
    const { code, message } = toDatabaseError(error, this.#context.options);
    this.#context.emit({ kind: 'failed', code, message });
  }

  /** The caller could not handle the last opening, and the database was closed since. */
  #failIdle(error: unknown): void {
    if (this.#idle === undefined) return;
    this.#idle.close();
    this.#idle = undefined;
    this.#fail(error);
  }

  /** The caller requests again what it needs, once the database is open. */
  #abandonRequests(): void {
    this.#requests = [];
    this.#endWaking();
  }

  #fail(error: unknown): void {
    this.#leave();
    this.#reportFailure(error);
    this.#abandonRequests();
    this.#later(this.#reopenMs);
    this.#reopenMs = Math.min(this.#reopenMs * 2, REOPEN_MS_MAX);
  }
}
