/**
 * Restores a database from its destinations: lists, plans, reads, verifies, then renames into place.
 */

import { systemClock, type Clock } from '../clock.ts';
import { availableParallelism } from 'node:os';
import { isError, type ErrorCode } from '../error.ts';
import { formatTXID, type TXID } from '../ltx/txid.ts';
import { describeFile } from '../store/describe.ts';
import { applyPlan } from './apply-plan.ts';
import { checkIntegrity, type IntegrityCheck } from './integrity.ts';
import { toPlanTarget, type RestoreTarget } from './plan/listing.ts';
import type { Moment } from './plan/moment.ts';
import { Output, type Published } from './output.ts';
import { checkOutput, type Overwrite } from './output-target.ts';
import { planRestore, type PlanTarget, type RestorePlan } from './plan/plan.ts';
import {
  keyOfFile,
  listSources,
  readSourcedHeader,
  type RestoreSource,
  type SourcedFile,
} from './plan/sources.ts';
import { UnusableFileError } from './plan/unusable-file.ts';

/** Options of `restore`. */
export interface RestoreOptions {
  /** Read in this order of preference. All must hold the same history: the caller chooses it. */
  readonly sources: readonly RestoreSource[];
  readonly output: string;
  readonly target: RestoreTarget;
  /** Default 'refuse'. An empty file is always replaced. */
  readonly overwrite?: Overwrite | undefined;
  /** Concurrent reads. Default 8. */
  readonly parallelism?: number | undefined;
  /** Default 'none': checksums already verify every page. */
  readonly integrityCheck?: IntegrityCheck | undefined;
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
  /** On abort the promise rejects with the signal's reason, and no file is left behind. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
}

/** Restarts from zero if a file turned out to be missing or damaged and others replace it. */
export interface RestoreProgress {
  readonly doneBytes: number;
  /**
   * Total size of the plan's files; fewer bytes are read if a file turns out to hold every page.
   */
  readonly totalBytes: number;
  readonly files: number;
}

/** A damaged file that other files replaced. */
export interface AvoidedFile {
  readonly file: string;
  /** The name of the source. */
  readonly source: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Result of `restore`. Sizes are in bytes. */
export interface RestoreReport extends Published {
  /** 16 hex digits. */
  readonly txid: string;
  /** ISO 8601: the time of the newest file; for a timestamp, of the commit. */
  readonly timestamp: string;
  readonly filesRead: number;
  readonly bytesRead: number;
  readonly pageSize: number;
  /** Size of the database in pages. */
  readonly commit: number;
  readonly durationMs: number;
  /** If this is not empty, the destination should be repaired. */
  readonly avoided: readonly AvoidedFile[];
  /** For a timestamp: the state that was chosen, the next one, and any doubt. */
  readonly moment: Moment | undefined;
}

/** The part that is known before the file has its name. */
type RunReport = Omit<RestoreReport, 'durationMs' | keyof Published>;

const PARALLELISM_DEFAULT = 8;
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
 * Each attempt reads as much as the first. A destination that needs more is too damaged to go on.
 */
const ATTEMPTS_MAX = 6;

/**
 * Writes a temporary file beside `output`, fsyncs it and renames it. If it fails or is aborted, it
 * leaves nothing behind. Errors: RESTORE_*; LTX_* if a file is damaged and no other files lead to
 * the same state; and the errors of the destination.
 */
export async function restore(options: RestoreOptions): Promise<RestoreReport> {
  const { clock = systemClock } = options;
  const startedAt = clock.monotonic();
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  await checkOutput(options.output, options.overwrite ?? 'refuse');
  const run = new RestoreRun(options, signal);
  await run.list();
  const output = await Output.open(options.output, options.overwrite ?? 'refuse');
  try {
    const report = await run.run(output);
    signal.throwIfAborted();
    await output.sync();
    await checkIntegrity(output.temporary, options.integrityCheck ?? 'none', signal);
    signal.throwIfAborted();
    const published = await output.publish({ signal, clock });
    return { ...report, ...published, durationMs: Math.round(clock.monotonic() - startedAt) };
  } finally {
    await output.discard();
  }
}

/** One restore, from its first plan to the plan that succeeds. */
class RestoreRun {
  readonly #options: RestoreOptions;
  readonly #signal: AbortSignal;
  /** By `keyOfFile`. */
  readonly #avoided = new Map<string, AvoidedFile>();
  #listings = 0;
  #listed: readonly SourcedFile[] = [];
  #target: PlanTarget = { kind: 'latest' };
  #moment: Moment | undefined;
  #plan: RestorePlan<SourcedFile> = planOfNothing;
  #local: 'allowed' | 'refused' = 'allowed';

  constructor(options: RestoreOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  async list(): Promise<void> {
    const { sources, target } = this.#options;
    for (;;) {
      this.#listings += 1;
      const age = this.#listings === 1 ? 'known' : 'fresh';
      this.#listed = await listSources(sources, age, this.#signal);
      try {
        const found = await toPlanTarget(this.#listed, target, (file) =>
          readSourcedHeader(file, this.#signal),
        );
        this.#target = found.target;
        this.#moment = found.moment;
        for (const [file, error] of found.unreadable) this.#addAvoided(file, error);
        this.#plan = this.#replan([]);
        return;
      } catch (error) {
        if (!this.#mayListAgain(error)) throw error;
      }
    }
  }

  async run(output: Output): Promise<RunReport> {
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
        if (error instanceof UnusableFileError) this.#avoid(error);
        else if (this.#mayListAgain(error)) await this.list();
        else throw error;
      }
    }
  }

  async #attempt(output: Output): Promise<RunReport> {
    const { parallelism, onProgress } = this.#options;
    const plan = this.#plan;
    let doneBytes = 0;
    const { header, filesRead } = await applyPlan({
      local: this.#local,
      plan,
      descriptor: output.descriptor,
      onSize: async (sizeBytes) => await output.begin(sizeBytes),
      threads: Math.min(THREADS_MAX, availableParallelism()),
      readsMax: parallelism ?? PARALLELISM_DEFAULT,
      onBytes: (count) => {
        doneBytes += count;
        onProgress?.({ doneBytes, totalBytes: plan.sizeBytes, files: plan.files.length });
      },
      signal: this.#signal,
    });
    return {
      txid: formatTXID(plan.txid),
      timestamp: (plan.moment?.at ?? new Date(header.timestampMs)).toISOString(),
      filesRead,
      bytesRead: doneBytes,
      pageSize: header.pageSize,
      commit: header.commit,
      avoided: [...this.#avoided.values()],
      moment: plan.moment,
    };
  }

  /**
   * Plans without the first suspect that other files can replace; if there is none, throws `error`.
   */
  #avoid(error: UnusableFileError): void {
    for (const suspect of error.suspects) {
      const file = this.#plan.files.find((planned) => planned === suspect);
      if (file === undefined) continue;
      const key = keyOfFile(file);
      try {
        this.#plan = this.#replan([key]);
      } catch {
        continue; // no other files lead there: the error about this file is more useful
      }
      this.#addAvoided(file, error);
      return;
    }
    throw error;
  }

  #addAvoided(file: SourcedFile, { code, message }: UnusableFileError): void {
    const { name: source } = file.source;
    this.#avoided.set(keyOfFile(file), { file: describeFile(file), source, code, message });
  }

  #replan(without: readonly string[]): RestorePlan<SourcedFile> {
    const avoided = new Set([...this.#avoided.keys(), ...without]);
    return planRestore(this.#listed, this.#target, {
      isAvoided: (file) => avoided.has(keyOfFile(file)),
      moment: this.#moment,
    });
  }

  /** Whether a listed file was removed or replaced: compaction or retention ran meanwhile. */
  #mayListAgain(error: unknown): boolean {
    const moved = isError(error, 'REPLICA_NOT_FOUND') || isError(error, 'REPLICA_CHANGED');
    return moved && this.#listings < LISTINGS_MAX;
  }
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
