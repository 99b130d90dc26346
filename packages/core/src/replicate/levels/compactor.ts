/**
 * Merges the staged files of one database into levels, once for all destinations. Failures are retried
 * and do not delay level 0: its files stay staged for the merge only while there is room.
 */

import type { Clock } from '../../clock.ts';
import { type ErrorCode, isError, messageOf } from '../../error.ts';
import type { FileSystem } from '../../file-system.ts';
import { type LevelState, type MergeableFile, nextMerge } from '../../history/compaction.ts';
import type { MergeLevel } from '../../history/levels.ts';
import type { PageEncoding } from '../../kernel/kernel.ts';
import { formatTXID, toTXID } from '../../ltx/txid.ts';
import type { Logger } from '../../store/backend.ts';
import type { Backlog } from '../backlog.ts';
import { traced } from '../../tracing.ts';
import { Retry } from '../condition.ts';
import { type MergeFiles, type MergeSource, type StagedMerge } from './merge-files.ts';
import { StagedLevels } from './staged-levels.ts';

export interface CompactorOptions {
  /** Of the database, for tracing. */
  readonly path?: string | undefined;
  readonly metaPath: string;
  readonly levels: readonly MergeLevel[];
  readonly verifyCompaction: boolean;
  readonly pageEncoding: PageEncoding;
  readonly stagingMaxBytes: number;
}

/** A destination, as seen by the compactor. */
export interface LevelHolder {
  /** The highest TXID of a level; undefined if it is not known, or not ours. */
  topOf(level: number): bigint | undefined;
  /** Which of these files it needs. */
  neededMerges(staged: readonly StagedMerge[]): readonly StagedMerge[];
}

export interface CompactorContext {
  readonly options: CompactorOptions;
  readonly backlog: Backlog;
  /** undefined until the contents of the destinations are known. */
  readonly holders: () => readonly LevelHolder[] | undefined;
  readonly merge: MergeFiles;
  /** A merged file was staged, or cannot be made now. */
  readonly onMerged: () => void;
  /** A staged file of level 0 no longer exists. */
  readonly onGone: (path: string) => void;
  /** Removes files that no destination needs, after the records were saved. */
  readonly remove: (paths: readonly string[]) => void;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a level has done since the process began. */
export interface LevelFigures {
  readonly level: number;
  /** The newest merged TXID; 0n if there is none. */
  readonly txid: bigint;
  readonly stagedFiles: number;
  readonly stagedBytes: number;
  readonly merges: number;
  readonly mergedBytes: number;
  readonly failures: number;
}

/** Inputs larger than this share of `staging-max-bytes` do not wait for the end of their window. */
const EARLY_SHARE = 1 / 8;
/** Merged files may use this share of `staging-max-bytes` while a destination lacks them. */
const STAGED_SHARE = 1 / 2;
const RETRY_MS = { minMs: 1_000, maxMs: 60_000 };
/** After this many failures in a row because of the contents of files, the inputs are left out. */
const INVALID_MAX = 3;

interface Input extends MergeableFile, MergeSource {}

interface Counts {
  merges: number;
  mergedBytes: number;
  failures: number;
}

export class Compactor {
  readonly #context: CompactorContext;
  readonly #staged: StagedLevels;
  /** By level: everything up to this TXID was merged, or left out. */
  readonly #mergedTo = new Map<number, bigint>();
  readonly #counts = new Map<number, Counts>();
  readonly #retry: Retry;
  /** Failures in a row because of the contents of files. */
  #invalid = 0;
  #lastFailure: ErrorCode | 'unknown' | undefined;
  /** Levels whose current windows end early, until there is nothing to merge. */
  readonly #endEarly = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #hasBegun = false;
  #isClosed = false;

  constructor(context: CompactorContext) {
    this.#context = context;
    const { options, files, clock, logger } = context;
    this.#retry = new Retry(clock, RETRY_MS);
    this.#staged = new StagedLevels({
      folder: options.metaPath,
      files,
      levels: options.levels,
      onDamaged: (file, why) => logger.warn(`removed the damaged staged file ${file}: ${why}`),
    });
  }

  /** The staged merged files, by level and TXID. */
  get staged(): readonly StagedMerge[] {
    return this.#staged.files;
  }

  /** The highest level; 0 if nothing is merged. */
  get topLevel(): number {
    return this.#context.options.levels.at(-1)?.level ?? 0;
  }

  get stagedBytes(): number {
    return this.#staged.sizeBytes;
  }

  /** Level-0 files above this TXID are to be merged; undefined if nothing is merged. */
  get keepsAfter(): bigint | undefined {
    const [first] = this.#context.options.levels;
    return first === undefined ? undefined : this.#mergedToOf(first.level);
  }

  get figures(): readonly LevelFigures[] {
    return this.#context.options.levels.map(({ level }) => {
      const files = this.#staged.of(level);
      const counts = this.#countsOf(level);
      return {
        level,
        txid: files.at(-1)?.maxTXID ?? 0n,
        stagedFiles: files.length,
        stagedBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        ...counts,
      };
    });
  }

  /** The staging folder is locked. Throws STAGING_FAILED if it cannot be read. */
  async load(): Promise<void> {
    await this.#staged.load();
  }

  /** The destinations were listed, and it is decided how replication begins. */
  begin(): void {
    if (this.#hasBegun) return;
    for (const { level } of this.#context.options.levels) {
      this.#mergedTo.set(level, this.#alreadyMerged(level));
    }
    this.#hasBegun = true;
    this.wake();
  }

  /** A file was staged. */
  wake(): void {
    if (!this.#hasBegun || this.#isClosed || this.#running !== undefined) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /**
   * Ends the current windows of these levels, for a destination that lacks many files. Returns whether a merge
   * follows, after which `onMerged` is called. Not while merges fail.
   */
  endWindows(levels: readonly number[]): 'merging' | 'nothing' {
    if (!this.#hasBegun || this.#isClosed || this.#retry.waitMs > 0) return 'nothing';
    for (const level of levels) this.#endEarly.add(level);
    const isMerging = this.#running !== undefined || this.#next().kind === 'merge';
    if (isMerging) this.wake();
    else this.#endEarly.clear();
    return isMerging ? 'merging' : 'nothing';
  }

  /** Frees merged files that neither a destination nor a level needs, and the oldest ones over the limit. */
  free(): void {
    const holders = this.#context.holders();
    if (holders === undefined || !this.#hasBegun) return;
    const { files } = this.#staged;
    const needed = new Set(holders.flatMap((holder) => holder.neededMerges(files)));
    const isInput = ({ level, maxTXID }: StagedMerge): boolean =>
      this.#mergedTo.has(level + 1) && maxTXID > this.#mergedToOf(level + 1);
    const isNewest = (file: StagedMerge): boolean => this.#staged.newestOf(file.level) === file;
    const freed = files.filter((file) => !isNewest(file) && !isInput(file) && !needed.has(file));
    const limit = this.#context.options.stagingMaxBytes * STAGED_SHARE;
    let kept = this.#staged.sizeBytes - freed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    for (const file of files) {
      if (kept <= limit) break;
      if (freed.includes(file) || isNewest(file) || isInput(file)) continue;
      freed.push(file);
      kept -= file.sizeBytes;
    }
    this.#remove(freed);
  }

  #remove(freed: readonly StagedMerge[]): void {
    if (freed.length === 0) return;
    const paths = freed.map((file) => file.path);
    this.#staged.drop(new Set(paths));
    this.#context.remove(paths);
  }

  /**
   * Frees all merged files but the newest of each level. A level that loses files which are not merged
   * further, and a destination that needs them, continue after the next full snapshot.
   */
  drop(): void {
    const { files } = this.#staged;
    this.#remove(files.filter((file) => this.#staged.newestOf(file.level) !== file));
  }

  /** A staged file was found to be missing. */
  forget(path: string): void {
    this.#staged.drop(new Set([path]));
  }

  /** A running merge is abandoned by the owner of its thread. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    while (!this.#isClosed) {
      const { waitMs } = this.#retry;
      const next = waitMs > 0 ? ({ kind: 'wait', waitMs } as const) : this.#next();
      if (next.kind === 'merge') {
        await this.#merge(next.level, next.inputs);
        continue;
      }
      this.#endEarly.clear();
      if (next.kind === 'wait') this.#wakeIn(next.waitMs);
      return;
    }
  }

  #wakeIn(ms: number): void {
    // The wall clock may be set while we wait, so it is looked at now and then.
    this.#timer = setTimeout(() => this.wake(), Math.min(ms, LOOK_MS_MAX));
    this.#timer.unref();
  }

  #next(): ReturnType<typeof nextMerge<Input>> {
    const { options, clock } = this.#context;
    const levels = options.levels.map((level): LevelState<Input> => {
      const source = level.level === 1 ? this.#levelZero() : this.#staged.of(level.level - 1);
      const mergedTo = this.#mergedToOf(level.level);
      return { level, inputs: source.filter(({ maxTXID }) => maxTXID > mergedTo) };
    });
    const earlyBytes = options.stagingMaxBytes * EARLY_SHARE;
    return nextMerge({ levels, nowMs: clock.now(), earlyBytes, endEarly: this.#endEarly });
  }

  /** The staged increments of level 0 that may be sent. */
  #levelZero(): Input[] {
    const began = new Map<bigint, bigint>(); // the lowest TXID of each lineage that is staged
    const note = (lineage: bigint, txid: bigint): void => {
      if (txid < (began.get(lineage) ?? txid + 1n)) began.set(lineage, txid);
    };
    for (const { lineage, minTXID } of this.#staged.files) note(lineage, minTXID - 1n);
    const inputs: Input[] = [];
    for (const file of this.#context.backlog.sendable) {
      const { txid, lineage } = file;
      note(lineage, txid);
      // After a restart, an increment that happens to have every page is also called an image.
      if (file.content === 'image' && txid <= (began.get(lineage) ?? txid)) continue;
      inputs.push({ ...file, minTXID: txid, maxTXID: txid });
    }
    return inputs;
  }

  async #merge(level: number, inputs: readonly Input[]): Promise<void> {
    const { merge, options, logger, clock, onMerged } = this.#context;
    const last = inputs.at(-1);
    if (last === undefined) return;
    const began = clock.monotonic();
    const counts = this.#countsOf(level);
    try {
      const about = { database: options.path, level, files: inputs.length };
      const file = await traced('compaction', about, () =>
        merge({
          folder: options.metaPath,
          level,
          inputs: inputs.map(({ path, sizeBytes }) => ({ path, sizeBytes })),
          encoding: options.pageEncoding,
          verify: options.verifyCompaction ? 'verify' : 'trust',
        }),
      );
      if (this.#isClosed) return; // found again at the next start
      this.#staged.add(file);
      this.#mergedTo.set(level, last.maxTXID);
      counts.merges += 1;
      counts.mergedBytes += file.sizeBytes;
      if (this.#lastFailure !== undefined) logger.info('merging staged files works again');
      this.#lastFailure = undefined;
      this.#invalid = 0;
      this.#retry.succeeded();
      logger.debug(`merged ${inputs.length} files into level ${level}`, {
        from: formatTXID(file.minTXID),
        to: formatTXID(file.maxTXID),
        sizeBytes: file.sizeBytes,
        ms: Math.round(clock.monotonic() - began),
      });
      onMerged();
    } catch (error) {
      // Over the limit, files may be freed before they are merged. What is left is planned again.
      if (this.#isClosed || (await this.#forgetMissing(inputs)) > 0) return;
      counts.failures += 1;
      this.#failed(level, inputs, error);
      onMerged();
    }
  }

  #failed(level: number, inputs: readonly Input[], error: unknown): void {
    const { logger } = this.#context;
    const code = isError(error) ? error.code : 'unknown';
    const nextTryMs = this.#retry.failed();
    if (code !== this.#lastFailure) {
      const what = `cannot merge files into level ${level}; replication continues without it`;
      logger.error(`${what}: ${messageOf(error)}`, { code, nextTryMs });
    }
    this.#lastFailure = code;
    this.#invalid = code.startsWith('LTX_') ? this.#invalid + 1 : 0;
    const last = inputs.at(-1);
    if (this.#invalid < INVALID_MAX || last === undefined) return;
    this.#invalid = 0;
    this.#mergedTo.set(level, last.maxTXID);
    logger.error(
      `left out TXID ${formatTXID(toTXID(inputs[0]?.minTXID ?? 0n))} to ${formatTXID(toTXID(last.maxTXID))} at ` +
        `level ${level}: the staged files cannot be merged; the level continues after the next full snapshot`,
    );
  }

  /** Returns the number of inputs that no longer exist. */
  async #forgetMissing(inputs: readonly Input[]): Promise<number> {
    const { files, logger, onGone } = this.#context;
    let count = 0;
    for (const { path } of inputs) {
      const stat = await files.stat(path).catch(() => 'unknown' as const);
      if (stat !== undefined) continue;
      count += 1;
      this.forget(path);
      onGone(path);
    }
    if (count > 0) logger.debug(`${count} staged files were removed before they were merged`);
    return count;
  }

  /** What need not be merged again: staged merged files, and what every known destination has. */
  #alreadyMerged(level: number): bigint {
    const staged = this.#staged.newestOf(level)?.maxTXID ?? 0n;
    const tops = (this.#context.holders() ?? [])
      .map((holder) => holder.topOf(level))
      .filter((top) => top !== undefined);
    const lowest = tops.reduce<bigint | undefined>(
      (least, top) => (least === undefined || top < least ? top : least),
      undefined,
    );
    return lowest !== undefined && lowest > staged ? lowest : staged;
  }

  #mergedToOf(level: number): bigint {
    return this.#mergedTo.get(level) ?? 0n;
  }

  #countsOf(level: number): Counts {
    const counts = this.#counts.get(level) ?? { merges: 0, mergedBytes: 0, failures: 0 };
    this.#counts.set(level, counts);
    return counts;
  }
}

/** Maximum time between two looks at the wall clock while files wait for a merge. */
const LOOK_MS_MAX = 60_000;
