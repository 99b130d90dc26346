/**
 * Deletes the files of one destination that retention no longer needs (history/retention.ts).
 *
 *  when        at most every CHECK_MS, and only if a file was written or has become old enough: an idle
 *              destination gets no requests
 *  where       only a destination that was listed by this process, is ours, is up and is not being seeded
 *  first       the files that the others rely on are listed again, and both ends of the snapshot are read; an
 *              encrypted one must be the one that was sent. Both ends of a merged file are read once, unless this
 *              process has written it
 *  order       the oldest first, in batches; only what was confirmed leaves the known contents
 *  refused     by permissions or a lock: one warning, then one try a day
 */

import type { Clock } from '../../clock.ts';
import { formatBytes } from '../../config/bytes.ts';
import { formatDuration } from '../../config/duration.ts';
import { type ErrorCode, isError, messageOf } from '../../error.ts';
import { decideRetention, type RetentionDecision } from '../../history/retention.ts';
import type { RetentionPolicy } from '../../history/retention-policy.ts';
import { LEVEL_SNAPSHOT } from '../../history/levels.ts';
import { formatFilename } from '../../ltx/filename.ts';
import type { LTXFileInfo, ReplicaFiles } from '../../replica/replica.ts';
import type { Logger } from '../../store/backend.ts';
import { describeFile } from '../../store/describe.ts';
import type { Random } from '../../random.ts';
import type { Holdings } from '../destination/holdings.ts';
import type { SealedRecord } from '../destination/sealer.ts';
import { UploadQueue } from '../destination/upload-queue.ts';
import { checkMerge, checkSnapshot, findMissing } from './presence.ts';
import { ServerTime } from './server-time.ts';

/** Minimum time between two decisions. Each may cost two or three listings and a delete. */
const CHECK_MS = 3_600_000;
/** Permissions and locks change rarely. */
const REFUSED_MS = 24 * 3_600_000;
/** One request at destinations that delete many files at once. */
const BATCH_FILES = 1_000;
/** Files with a time that far ahead are reported. Clocks of servers differ by less. */
const AHEAD_MS = 3_600_000;

/** Enough for several hours; about 100 bytes each. */
const CONFIRMED_MAX = 20_000;

/** Answers that a retry within the day will not change. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'REPLICA_PERMISSION_DENIED',
  'REPLICA_UNSUPPORTED',
]);

export interface DeleterContext {
  /** Name of the destination. */
  readonly name: string;
  readonly target: string;
  /** undefined: nothing is deleted. */
  readonly retention?: RetentionPolicy | undefined;
  readonly holdings: Holdings;
  /** The files that were encrypted for this destination: all of its last snapshots. */
  readonly sealed: () => readonly SealedRecord[];
  /** undefined until it is opened. */
  readonly client: () => ReplicaFiles | undefined;
  /** Whether the destination is up to date, and nobody else writes to it. */
  readonly isQuiet: () => boolean;
  /** Files that others rely on are missing: the destination must be listed now. */
  readonly onMissing: () => void;
  readonly onChange: (change: object) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What a destination holds, and what was deleted there. */
export interface DestinationContents {
  readonly files: number;
  readonly sizeBytes: number;
  /** undefined: everything is kept. */
  readonly retention: RetentionPolicy | undefined;
  /** Since the process began. */
  readonly deleted: { readonly files: number; readonly sizeBytes: number };
  /** Why nothing can be deleted; undefined if deletes work, or if none was tried. */
  readonly refusal: string | undefined;
}

export class Deleter {
  readonly #context: DeleterContext;
  readonly #time: ServerTime;
  readonly #queue: UploadQueue;
  readonly #abort = new AbortController();
  #checkedAt = -Infinity;
  #nextAt = -Infinity;
  /** Nothing is tried before this time, because it was refused. */
  #refusedUntil = -Infinity;
  #deleted: DestinationContents['deleted'] = { files: 0, sizeBytes: 0 };
  /** Message of the last refusal; undefined if deletes work, or none was tried. */
  #refusal: string | undefined;
  /** Names of the last files that the server confirmed as deleted. */
  readonly #confirmed = new Set<string>();
  #hasReturned = false;
  /** Merged files of another process that were found whole: name and size. */
  readonly #whole = new Set<string>();
  /** Problems that are in the log. They are logged again only after a deletion in between. */
  readonly #logged = new Set<string>();

  constructor(context: DeleterContext) {
    this.#context = context;
    const { clock, random } = context;
    this.#time = new ServerTime(clock);
    this.#queue = new UploadQueue({
      step: async (signal) => {
        if (this.#dueInMs === 0) await this.enforce(signal);
        return 'idle';
      },
      dueInMs: () => this.#dueInMs,
      onRecovered: () => undefined,
      onFailure: (error) => this.#failed(error),
      clock,
      random,
    });
  }

  start(): void {
    if (this.#context.retention !== undefined) this.#queue.start();
  }

  wake(): void {
    this.#queue.wake();
  }

  async close(reason: unknown): Promise<void> {
    this.#abort.abort(reason);
    await this.#queue.close(reason);
  }

  /** A file was written. */
  wrote({ modifiedAt }: Pick<LTXFileInfo, 'modifiedAt'>): void {
    this.#time.observe(modifiedAt.getTime());
    const dueAt = Math.max(this.#checkedAt + CHECK_MS, this.#refusedUntil);
    if (dueAt >= this.#nextAt) return;
    this.#nextAt = dueAt;
    this.#queue.wake();
  }

  get contents(): DestinationContents {
    const { holdings, retention } = this.#context;
    return {
      files: holdings.fileCount,
      sizeBytes: holdings.sizeBytes,
      retention,
      deleted: this.#deleted,
      refusal: this.#refusal,
    };
  }

  /** Time until something may have to be deleted. */
  get #dueInMs(): number {
    return Math.max(0, this.#nextAt - this.#context.clock.monotonic());
  }

  /** On command: decides at once, by the only answers there are, and says why if that is not possible. */
  async enforceNow(): Promise<void> {
    const { name, target, retention, isQuiet, logger } = this.#context;
    if (retention === undefined) return;
    const nowMs = this.#time.answeredMs;
    const isTimed = nowMs !== undefined;
    if (isTimed && isQuiet()) {
      await this.#enforceAt(nowMs, this.#abort.signal);
      return;
    }
    const why = isTimed
      ? 'it is not up to date'
      : 'the time of the server is known only after a file was written';
    logger.info(`${name}: nothing is deleted: ${why}`, { target });
  }

  /** Deletes what is no longer needed now. */
  async enforce(signal: AbortSignal): Promise<void> {
    await this.#enforceAt(this.#time.nowMs, signal);
  }

  async #enforceAt(nowMs: number | undefined, signal: AbortSignal): Promise<void> {
    const { retention: policy, holdings, isQuiet, clock } = this.#context;
    const client = this.#context.client();
    if (policy === undefined || client === undefined) return;
    this.#checkedAt = clock.monotonic();
    this.#nextAt = nowMs === undefined ? Infinity : this.#checkedAt + CHECK_MS; // `wrote` lowers it
    if (nowMs === undefined || holdings.chain !== 'ours' || !isQuiet()) return;
    const files = holdings.all();
    const decision = decideRetention({ files, nowMs, policy });
    this.#warnAboutClock(files, nowMs);
    if (decision.objection !== undefined) {
      this.#logOnce('objection', 'error', faultMessage(decision.objection));
      return;
    }
    this.#warnAboutReturned(decision.deletes);
    if (decision.deletes.length === 0) {
      this.#nextAt = this.#checkedAt + Math.max(CHECK_MS, decision.dueAtMs - nowMs);
      return;
    }
    try {
      if (!(await this.#areListed(client, decision.reliesOn, signal))) return;
    } catch (error) {
      if (signal.aborted) throw error;
      this.#logOnce('check', 'warn', `${NOTHING_DELETED} be checked: ${messageOf(error)}`);
      return;
    }
    try {
      await this.#delete(client, decision, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      this.#failed(error);
    }
  }

  /** Whether the files that the others rely on are still there, with their sizes. */
  async #areListed(
    client: ReplicaFiles,
    files: readonly LTXFileInfo[],
    signal: AbortSignal,
  ): Promise<boolean> {
    for (const level of new Set(files.map((file) => file.level))) {
      const wanted = files.filter((file) => file.level === level);
      const missing = await findMissing(client, wanted, signal);
      if (missing === undefined) continue;
      this.#logOnce(
        'missing',
        'warn',
        `nothing is deleted, because ${describeFile(missing)}, which is still needed, is no longer listed with ` +
          `${missing.sizeBytes} bytes; the destination is listed again`,
      );
      this.#context.holdings.requireListing();
      this.#context.onMissing();
      return false;
    }
    for (const file of files) {
      if (file.level === LEVEL_SNAPSHOT) {
        await checkSnapshot(client, file, this.#context.sealed(), signal);
      } else await this.#checkMerge(client, file, signal);
    }
    return true;
  }

  /** A merged file that another process wrote may have been cut short before this one listed it. Looked at once. */
  async #checkMerge(client: ReplicaFiles, file: LTXFileInfo, signal: AbortSignal): Promise<void> {
    const name = `${describeFile(file)} ${file.sizeBytes}`;
    if (this.#context.holdings.isOwn(file) || this.#whole.has(name)) return;
    await checkMerge(client, file, signal);
    if (this.#whole.size > CONFIRMED_MAX) this.#whole.clear();
    this.#whole.add(name);
  }

  async #delete(
    client: ReplicaFiles,
    { deletes, reliesOn }: RetentionDecision,
    signal: AbortSignal,
  ): Promise<void> {
    const { holdings, isQuiet } = this.#context;
    const done: LTXFileInfo[] = [];
    try {
      for (let first = 0; first < deletes.length; first += BATCH_FILES) {
        const isValid = isQuiet() && reliesOn.every((file) => holdings.has(file));
        if (!isValid || holdings.chain !== 'ours') return; // it was listed meanwhile, or failed
        const batch = deletes.slice(first, first + BATCH_FILES);
        done.push(...(await this.#deleteBatch(client, batch, signal)));
      }
      this.#refusal = undefined;
      this.#logged.clear();
    } finally {
      this.#count(done, deletes.length);
    }
  }

  /** Returns the deleted files. Throws, after it has recorded them, if others could not be deleted. */
  async #deleteBatch(
    client: ReplicaFiles,
    batch: readonly LTXFileInfo[],
    signal: AbortSignal,
  ): Promise<readonly LTXFileInfo[]> {
    const { holdings } = this.#context;
    try {
      await client.deleteFiles(batch, { signal });
      holdings.deleted(batch);
      return batch;
    } catch (error) {
      const failures = isError(error) ? error.failures : undefined;
      if (failures === undefined) throw error;
      // Names of different levels may be equal. Then both count as not deleted, which is harmless.
      const failed = new Set(failures.map(({ file }) => file.split('/').at(-1)));
      const deleted = batch.filter(
        ({ minTXID, maxTXID }) => !failed.has(formatFilename(minTXID, maxTXID)),
      );
      holdings.deleted(deleted);
      this.#count(deleted, deleted.length);
      throw error;
    }
  }

  #count(files: readonly LTXFileInfo[], due: number): void {
    if (files.length === 0) return;
    if (this.#confirmed.size > CONFIRMED_MAX) this.#confirmed.clear();
    for (const file of files) this.#confirmed.add(describeFile(file));
    const { name, target, retention, logger, onChange } = this.#context;
    const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    this.#deleted = {
      files: this.#deleted.files + files.length,
      sizeBytes: this.#deleted.sizeBytes + sizeBytes,
    };
    const hasSnapshots = files.some(({ level }) => level === LEVEL_SNAPSHOT);
    const why = hasSnapshots
      ? `older than ${formatDuration(retention?.retentionMs ?? 0)}, or merged into larger files`
      : 'merged into larger files, or older than the oldest snapshot that is needed';
    const rest = due > files.length ? ` of ${due}` : '';
    // Merged files are deleted all the time.
    logger[hasSnapshots ? 'info' : 'debug'](
      `${name}: ${files.length}${rest} files, ${formatBytes(sizeBytes)} deleted: ${why}`,
      { target },
    );
    onChange({});
  }

  #failed(error: unknown): void {
    const message = messageOf(error);
    const isRefused = isError(error) && REFUSALS.has(error.code);
    if (!isRefused) {
      const tryAgain = `the next try is in ${formatDuration(CHECK_MS)}`;
      this.#logOnce(
        'failed',
        'warn',
        `cannot delete files that are no longer needed: ${message}; ${tryAgain}`,
      );
      return;
    }
    this.#refusal = message;
    this.#refusedUntil = this.#context.clock.monotonic() + REFUSED_MS;
    this.#nextAt = this.#refusedUntil;
    this.#logOnce(
      'refused',
      'warn',
      `may not delete files that are no longer needed: ${message}. Backups continue and nothing is deleted ` +
        '(one try a day). Allow deletes on this path, or set retention.enabled to false and expire files by a ' +
        'lifecycle rule',
    );
  }

  /** Some servers confirm deletes that they do not do. */
  #warnAboutReturned(deletes: readonly LTXFileInfo[]): void {
    const returned = deletes.filter((file) => this.#confirmed.has(describeFile(file)));
    const [first] = returned;
    if (first === undefined || this.#hasReturned) return;
    this.#hasReturned = true;
    const { name, target, logger } = this.#context;
    logger.warn(
      `${name}: the server confirmed that files were deleted, but still lists ${returned.length} of them, such as ` +
        `${describeFile(first)}: the bucket will grow; check its versioning, its lifecycle rules and its locks`,
      { target },
    );
  }

  #warnAboutClock(files: readonly LTXFileInfo[], nowMs: number): void {
    const ahead = files.find(({ modifiedAt }) => modifiedAt.getTime() > nowMs + AHEAD_MS);
    if (ahead === undefined) return;
    this.#logOnce(
      'ahead',
      'warn',
      `${describeFile(ahead)} has a time in the future, ${ahead.modifiedAt.toISOString()}: it and the files after ` +
        'it are kept until they are old enough by that time; check the clock of the server',
    );
  }

  #logOnce(problem: string, level: 'warn' | 'error', message: string): void {
    if (this.#logged.has(problem)) return;
    this.#logged.add(problem);
    const { name, target, logger } = this.#context;
    logger[level](`${name}: ${message}`, { target });
  }
}

const NOTHING_DELETED = 'nothing is deleted, because the files that are still needed cannot';

function faultMessage(objection: string): string {
  return (
    `nothing is deleted, because a check found a fault in Sluice's own decision: ${objection}. ` +
    'Backups are not affected; please report this'
  );
}
