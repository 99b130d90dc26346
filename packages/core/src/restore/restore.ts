/** Restores a database from one destination: lists, plans, reads, verifies, and only then names it. */

import { availableParallelism } from 'node:os';
import { isError, type ErrorCode } from '../error.ts';
import { formatTXID, type TXID } from '../ltx/txid.ts';
import type { Capabilities } from '../store/client.ts';
import type { LTXFileInfo, ReplicaFiles } from '../replica/replica.ts';
import { describeFile } from '../store/describe.ts';
import { carryOut } from './carry-out.ts';
import { checkIntegrity, type IntegrityCheck } from './integrity.ts';
import { listAll, toPlanTarget, type RestoreTarget } from './listing.ts';
import { Output } from './output.ts';
import { checkOutput, type Overwrite } from './output-target.ts';
import { planRestore, type PlanTarget, type RestorePlan } from './plan.ts';
import { UnfitFile } from './unfit-file.ts';

export interface RestoreOptions {
  readonly client: ReplicaFiles;
  /** The destination's. Default: it can read parts of files. */
  readonly capabilities?: Capabilities | undefined;
  readonly output: string;
  readonly target: RestoreTarget;
  /** Default 'refuse'. An empty file is replaced in any case. */
  readonly overwrite?: Overwrite | undefined;
  /** Reads at once. Default 8. */
  readonly parallelism?: number | undefined;
  /** Default 'none': every page has been verified by checksum anyway. */
  readonly integrityCheck?: IntegrityCheck | undefined;
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
  /** The promise rejects with its reason; nothing is left behind. */
  readonly signal?: AbortSignal | undefined;
}

/** Begins anew where a file turned out to be missing or unfit, and others are taken instead. */
export interface RestoreProgress {
  readonly doneBytes: number;
  /** Of all files of the plan; fewer are read where one turns out to hold every page. */
  readonly totalBytes: number;
  readonly files: number;
}

/** A file that was read, found unfit, and replaced by others. */
export interface AvoidedFile {
  readonly file: string;
  readonly code: ErrorCode;
  readonly message: string;
}

export interface RestoreReport {
  /** 16 hex digits. */
  readonly txid: string;
  /** ISO 8601: the time of the newest file. */
  readonly timestamp: string;
  readonly filesRead: number;
  readonly bytesRead: number;
  readonly pageSize: number;
  /** Size of the database in pages. */
  readonly commit: number;
  readonly durationMs: number;
  /** Worth a look: the destination should be repaired. */
  readonly avoided: readonly AvoidedFile[];
  /** Of a moment: why another state may have been meant, where times of files contradict each other. */
  readonly doubt: string | undefined;
}

const PARALLELISM_DEFAULT = 8;
/** Decoding keeps up with most networks on one thread; more than these would wait for the disk. */
const THREADS_MAX = 4;
/** Files may be merged away between listing and reading; then it is listed again, so often. */
const LISTINGS_MAX = 3;
/** Each reads as much as the first did. Who needs more has a destination that is not worth it. */
const ATTEMPTS_MAX = 6;

/**
 * Writes beside `output`, fsyncs, and gives it its name. Leaves nothing behind where it fails or is
 * aborted. Errors: RESTORE_*, LTX_* where a file is not what it should be and no others lead to the
 * same state, and those of the destination.
 */
export async function restore(options: RestoreOptions): Promise<RestoreReport> {
  const started = performance.now();
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  await checkOutput(options.output, options.overwrite ?? 'refuse');
  const course = new Course(options, signal);
  await course.list();
  const output = await Output.open(options.output, options.overwrite ?? 'refuse');
  try {
    const report = await course.run(output);
    signal.throwIfAborted();
    await output.sync();
    await checkIntegrity(output.temporary, options.integrityCheck ?? 'none', signal);
    signal.throwIfAborted();
    await output.publish(signal);
    return { ...report, durationMs: Math.round(performance.now() - started) };
  } finally {
    await output.discard();
  }
}

/** One restore from its first plan to the one that succeeds. */
class Course {
  readonly #options: RestoreOptions;
  readonly #signal: AbortSignal;
  readonly #avoided = new Map<string, AvoidedFile>();
  #listings = 0;
  #listed: readonly LTXFileInfo[] = [];
  #target: PlanTarget = { kind: 'latest' };
  #doubt: string | undefined;
  #plan: RestorePlan = planOfNothing;
  #local: 'allowed' | 'refused' = 'allowed';

  constructor(options: RestoreOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  async list(): Promise<void> {
    const { client, target } = this.#options;
    for (;;) {
      this.#listings += 1;
      this.#listed = await listAll(client, this.#signal);
      try {
        const found = await toPlanTarget(client, this.#listed, target, this.#signal);
        this.#target = found.target;
        this.#doubt = found.doubt;
        this.#plan = this.#replan([]);
        return;
      } catch (error) {
        if (!this.#mayListAgain(error)) throw error;
      }
    }
  }

  async run(output: Output): Promise<Omit<RestoreReport, 'durationMs'>> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(output);
      } catch (error) {
        if (this.#local === 'allowed' && isOfContent(error)) {
          // It trusts indexes to find its way: what is wrong, and with what, the other way tells.
          this.#local = 'refused';
          continue;
        }
        if (attempt >= ATTEMPTS_MAX) throw error;
        if (error instanceof UnfitFile) this.#avoid(error);
        else if (this.#mayListAgain(error)) await this.list();
        else throw error;
      }
    }
  }

  async #attempt(output: Output): Promise<Omit<RestoreReport, 'durationMs'>> {
    const { client, capabilities, parallelism, onProgress } = this.#options;
    const plan = this.#plan;
    let doneBytes = 0;
    const { header, filesRead } = await carryOut({
      client,
      ranges: capabilities === undefined || capabilities.ranges === true ? 'some' : 'none',
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
      timestamp: new Date(header.timestampMs).toISOString(),
      filesRead,
      bytesRead: doneBytes,
      pageSize: header.pageSize,
      commit: header.commit,
      avoided: [...this.#avoided.values()],
      doubt: plan.doubt,
    };
  }

  /** Plans without the first suspect that others can stand in for; else the error stands. */
  #avoid(error: UnfitFile): void {
    for (const file of error.suspects) {
      try {
        this.#plan = this.#replan([describeFile(file)]);
      } catch {
        continue; // no other files lead there: what was wrong with this one tells more
      }
      const { code, message } = error;
      this.#avoided.set(describeFile(file), { file: describeFile(file), code, message });
      return;
    }
    throw error;
  }

  #replan(without: readonly string[]): RestorePlan {
    const avoid = new Set([...this.#avoided.keys(), ...without]);
    return planRestore(this.#listed, this.#target, { avoid, doubt: this.#doubt });
  }

  /** A file that was listed is gone or another: a compaction or a retention went on meanwhile. */
  #mayListAgain(error: unknown): boolean {
    const moved = isError(error, 'REPLICA_NOT_FOUND') || isError(error, 'REPLICA_CHANGED');
    return moved && this.#listings < LISTINGS_MAX;
  }
}

function isOfContent(error: unknown): boolean {
  return isError(error) && (error.code.startsWith('LTX_') || error.code === 'RESTORE_INTEGRITY');
}

const planOfNothing: RestorePlan = { txid: 0n as TXID, files: [], sizeBytes: 0, ignored: [] };
