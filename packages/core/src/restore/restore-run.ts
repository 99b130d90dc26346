/**
 * One restore, from its first plan to the plan that succeeds. A file that turns out to be missing or damaged is
 * left out, and the rest is planned again: other files of the same source, or of another one, may lead to the
 * same state.
 */

import { availableParallelism } from 'node:os';
import { assert, isError } from '../error.ts';
import { formatTXID, type TXID } from '../ltx/txid.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import { examineFiles } from './across/examine.ts';
import { Losses } from './across/losses.ts';
import { planAcross, readFromEach } from './across/plan-across.ts';
import { planListed } from './across/plan-listed.ts';
import { SourceError, withSourceErrors } from './across/source-error.ts';
import { applyPlan } from './apply-plan.ts';
import type { RestoreOptions, RestoreReport, VerifiedOutput } from './options.ts';
import type { Output, Published } from './output.ts';
import type { Moment } from './plan/moment.ts';
import type { PlanTarget, RestorePlan } from './plan/plan.ts';
import {
  keyOfFile,
  listSources,
  readSourcedHeader,
  type RestoreSource,
  type SourcedFile,
} from './plan/sources.ts';
import { READS_MAX_DEFAULT } from './read-ahead.ts';
import { UnusableFileError } from './plan/unusable-file.ts';
import type { DownloadOptions, Downloads, Resumed } from './resume/downloads.ts';
import { requireUndamaged } from './verify-file.ts';

/** The part that is known before the file has its name. */
type RunReport = Omit<RestoreReport, 'durationMs' | keyof Published>;

export interface VerifiedRun {
  readonly report: RunReport;
  readonly verified: VerifiedOutput;
}

/**
 * One thread decodes as fast as most networks deliver; more threads than this would wait for the
 * disk.
 */
const THREADS_MAX = 4;
/**
 * Compaction may remove files between listing and reading. We then list again, up to this often.
 */
const LISTINGS_MAX = 3;
/**
 * Each attempt reads as much as the first. From the second damaged file on, the files are examined before the
 * next attempt, so more attempts than this mean that the files change all the time.
 */
const ATTEMPTS_MAX = 6;

export class RestoreRun {
  readonly #options: RestoreOptions;
  readonly #sources: readonly RestoreSource[];
  readonly #signal: AbortSignal;
  readonly #losses = new Losses();
  /** Files that were read to their checksums, by `keyOfFile`. */
  readonly #sound = new Set<string>();
  #setbacks = 0;
  #listings = 0;
  #listed: readonly SourcedFile[] = [];
  #target: PlanTarget = { kind: 'latest' };
  #moment: Moment | undefined;
  #plan: RestorePlan<SourcedFile> = planOfNothing;
  #local: 'allowed' | 'refused' = 'allowed';
  readonly #downloads: Downloads | undefined;
  #resumed: Resumed | undefined;

  constructor(options: RestoreOptions, downloads: Downloads | undefined, signal: AbortSignal) {
    const { sources } = options;
    this.#options = options;
    this.#sources = sources.length > 1 ? sources.map(withSourceErrors) : sources;
    this.#downloads = downloads;
    this.#signal = signal;
  }

  async list(): Promise<void> {
    for (;;) {
      this.#listings += 1;
      const age = this.#listings === 1 ? 'known' : 'fresh';
      const sources = this.#sources.filter(({ name }) => !this.#losses.hasSource(name));
      const { files, failed } = await listSources(sources, age, this.#signal);
      for (const [{ name }, error] of failed) this.#losses.addSource(name, error);
      // What a failed source had listed is missing, unless another source has it.
      const lost = this.#listed.filter(({ source }) => this.#losses.hasSource(source.name));
      this.#listed = [...files, ...lost];
      try {
        await this.#planListed(age);
        return;
      } catch (error) {
        if (!this.#mayListAgain(error)) throw error;
      }
    }
  }

  async run(output: Output): Promise<VerifiedRun> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(output);
      } catch (error) {
        if (this.#local === 'allowed' && isContentError(error)) {
          // It relied on page indexes. The other method says exactly which file is damaged, and how.
          this.#local = 'refused';
          continue;
        }
        if (attempt >= ATTEMPTS_MAX) throw error;
        await this.#recover(error);
      }
    }
  }

  async #planListed(age: 'known' | 'fresh'): Promise<void> {
    const { target } = this.#options;
    const planned = await planListed(this.#listed, target, this.#losses, {
      headerOf: (file) => readSourcedHeader(file, age, this.#signal),
      signal: this.#signal,
    });
    this.#target = planned.target;
    this.#plan = planned.plan;
    this.#moment = planned.plan.moment;
  }

  async #attempt(output: Output): Promise<VerifiedRun> {
    const { cache, integrityCheck = 'none', parallelism } = this.#options;
    const readsMax = parallelism ?? READS_MAX_DEFAULT;
    const plan = this.#plan;
    const progress = this.#progressOf(plan);
    const files = await this.#download(plan.files, {
      readsMax,
      onBytes: progress.add,
      signal: this.#signal,
    });
    const { header, filesRead } = await applyPlan({
      local: this.#local,
      plan: files === undefined ? plan : { ...plan, files },
      descriptor: output.descriptor,
      cache: integrityCheck === 'none' ? cache : 'keep',
      onSize: async (sizeBytes) => await this.#begin(output, sizeBytes),
      threads: Math.min(THREADS_MAX, availableParallelism()),
      readsMax,
      onBytes: files === undefined ? progress.add : () => undefined,
      signal: this.#signal,
    });
    const last = plan.files.at(-1);
    assert(last !== undefined, 'a plan has files');
    const verified = { descriptor: output.descriptor, header, last };
    const report = {
      txid: formatTXID(plan.txid),
      timestamp: (plan.moment?.at ?? new Date(header.timestampMs)).toISOString(),
      filesRead,
      bytesRead: progress.doneBytes,
      pageSize: header.pageSize,
      commit: header.commit,
      avoided: this.#losses.files,
      failedSources: this.#losses.sources,
      readFrom: readFromEach(this.#sources, plan.files.slice(-filesRead)),
      moment: plan.moment,
      resumed: this.#resumed,
    };
    return { report, verified };
  }

  #progressOf(plan: RestorePlan<SourcedFile>): {
    readonly doneBytes: number;
    readonly add: (count: number) => void;
  } {
    let doneBytes = 0;
    const show = (): void => {
      const keptBytes = this.#resumed?.keptBytes ?? 0;
      const done = { doneBytes: keptBytes + doneBytes, totalBytes: plan.sizeBytes };
      this.#options.onProgress?.({ ...done, files: plan.files.length });
    };
    show(); // the first bytes may take long
    return {
      get doneBytes() {
        return doneBytes;
      },
      add(count) {
        doneBytes += count;
        show();
      },
    };
  }

  /** undefined if the files are read from their destinations. */
  async #download(
    files: readonly SourcedFile[],
    options: DownloadOptions,
  ): Promise<readonly SourcedFile[] | undefined> {
    if (this.#downloads === undefined) return undefined;
    this.#resumed ??= await this.#downloads.prepare(files);
    return await this.#downloads.fetch(files, options);
  }

  /** RESTORE_OUTPUT, unless the size comes from a damaged file: then an error about that file. */
  async #begin(output: Output, sizeBytes: number): Promise<void> {
    try {
      await output.begin(sizeBytes);
    } catch (error) {
      const newest = this.#plan.files.at(-1);
      if (newest !== undefined) await requireUndamaged(newest, this.#signal);
      throw error;
    }
  }

  /** Leaves out what the error is about and plans again, or throws the error. */
  async #recover(error: unknown): Promise<void> {
    if (error instanceof UnusableFileError) {
      if ((await this.#downloads?.forget(error.suspects)) !== 'again') this.#avoid(error);
    } else if (error instanceof SourceError) {
      this.#losses.addCause(error, this.#listed);
      try {
        this.#plan = this.#replan();
      } catch {
        if (!this.#mayListAgain(error)) throw error;
        await this.list();
      }
    } else if (this.#mayListAgain(error)) {
      await this.list();
      return;
    } else throw error;
    this.#setbacks += 1;
    if (this.#setbacks > 1) await this.#examine();
  }

  /** Reads the files of the plan, and plans without those that cannot be used, until all are sound. */
  async #examine(): Promise<void> {
    for (;;) {
      const { add } = this.#progressOf(this.#plan);
      const unknown = this.#plan.files.filter((file) => !this.#sound.has(keyOfFile(file)));
      if (unknown.length === 0) return;
      const files = (await this.#download(unknown, quiet(this.#signal))) ?? unknown;
      const examined = await examineFiles(files.toReversed(), {
        onBytes: add,
        signal: this.#signal,
      });
      for (const file of examined.sound) this.#sound.add(keyOfFile(this.#originalOf(file)));
      const [newest] = examined.broken;
      if (newest === undefined) return;
      for (const { file, error } of examined.broken) {
        if ((await this.#downloads?.forget([file])) === 'again') continue;
        if (error instanceof SourceError) this.#losses.addCause(error, this.#listed);
        else this.#losses.addFile(this.#originalOf(file), error);
      }
      try {
        this.#plan = this.#replan();
      } catch {
        throw newest.error; // no other files lead there
      }
    }
  }

  /**
   * Plans without the first suspect that other files can replace; if there is none, throws `error`.
   */
  #avoid(error: UnusableFileError): void {
    for (const suspect of error.suspects) {
      const original = this.#originalOf(suspect);
      const file = this.#plan.files.find((planned) => planned === original);
      if (file === undefined) continue;
      try {
        this.#plan = this.#replan(file);
      } catch {
        continue; // no other files lead there: the error about this file is more useful
      }
      this.#losses.addFile(file, error);
      return;
    }
    throw error;
  }

  #originalOf<File extends LTXFileInfo>(file: File): File | SourcedFile {
    return this.#downloads?.originalOf(file) ?? file;
  }

  #replan(without?: SourcedFile): RestorePlan<SourcedFile> {
    return planAcross(this.#listed, this.#target, {
      isAvoided: (file) => file === without || this.#losses.has(file),
      moment: this.#moment,
    });
  }

  /** Whether a listed file was removed or replaced: compaction or retention ran meanwhile. */
  #mayListAgain(error: unknown): boolean {
    const moved = isError(error, 'REPLICA_NOT_FOUND') || isError(error, 'REPLICA_CHANGED');
    return moved && this.#listings < LISTINGS_MAX;
  }
}

/** A download whose progress is not shown: the examination after it is. */
function quiet(signal: AbortSignal): DownloadOptions {
  return { readsMax: READS_MAX_DEFAULT, onBytes: () => undefined, signal };
}

function isContentError(error: unknown): boolean {
  return isError(error) && (error.code.startsWith('LTX_') || error.code === 'RESTORE_INTEGRITY');
}

const planOfNothing: RestorePlan<SourcedFile> = {
  txid: 0n as TXID,
  files: [],
  sizeBytes: 0,
  ignored: [],
};
