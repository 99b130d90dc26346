/** Restores a database from one destination: lists, plans, reads, verifies, and only then names it. */

import { availableParallelism } from 'node:os';
import { isError } from '../error.ts';
import { formatTXID, type TXID } from '../ltx/txid.ts';
import type { LTXFileInfo, ReplicaClient } from '../replica/client.ts';
import { execute } from './execute.ts';
import { checkIntegrity, type IntegrityCheck } from './integrity.ts';
import { txidAt } from './moment.ts';
import { Output, type Overwrite } from './output.ts';
import { planRestore, type RestorePlan } from './plan.ts';

export type RestoreTarget =
  | { readonly kind: 'latest' }
  | { readonly kind: 'txid'; readonly txid: TXID }
  /** Everything that was committed at or before this moment, as the files' times tell. */
  | { readonly kind: 'timestamp'; readonly at: Date };

export interface RestoreOptions {
  readonly client: ReplicaClient;
  readonly output: string;
  readonly target: RestoreTarget;
  /** Default 'refuse'. */
  readonly overwrite?: Overwrite | undefined;
  /** Reads at once. Default 8. */
  readonly parallelism?: number | undefined;
  /** Default 'none': every page has been verified by checksum anyway. */
  readonly integrityCheck?: IntegrityCheck | undefined;
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RestoreProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
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
}

const PARALLELISM_DEFAULT = 8;
/** Decoding keeps up with most networks on one thread; more than these would wait for the disk. */
const THREADS_MAX = 4;
/** Files may be merged away between listing and reading; then it is listed again, so often. */
const PLANS_MAX = 3;

/** Lists once, and plans. Errors as `planRestore`, and those of the destination. */
export async function planFrom(
  client: ReplicaClient,
  target: RestoreTarget,
  signal?: AbortSignal,
): Promise<RestorePlan> {
  const files: LTXFileInfo[] = [];
  for await (const file of client.listFiles('all', { signal })) files.push(file);
  if (target.kind !== 'timestamp') return planRestore(files, target);
  const txid = await txidAt(client, files, target.at, signal);
  return planRestore(files, { kind: 'txid', txid });
}

/**
 * Writes `<output>.tmp`, fsyncs and renames it. Leaves nothing behind where it fails or is aborted.
 * Errors: RESTORE_*, LTX_* where a file is not what it should be, and those of the destination.
 */
export async function restore(options: RestoreOptions): Promise<RestoreReport> {
  const started = performance.now();
  const signal = options.signal ?? new AbortController().signal;
  for (let attempt = 1; ; attempt++) {
    try {
      const plan = await planFrom(options.client, options.target, signal);
      return await carryOut(plan, options, signal, started);
    } catch (error) {
      const moved = isError(error, 'REPLICA_NOT_FOUND') || isError(error, 'REPLICA_CHANGED');
      if (!moved || attempt >= PLANS_MAX) throw error;
    }
  }
}

async function carryOut(
  plan: RestorePlan,
  options: RestoreOptions,
  signal: AbortSignal,
  started: number,
): Promise<RestoreReport> {
  const output = await Output.open(options.output, options.overwrite ?? 'refuse');
  let doneBytes = 0;
  try {
    const { header, filesRead } = await execute({
      client: options.client,
      plan,
      descriptor: output.descriptor,
      resize: (sizeBytes) => output.resize(sizeBytes),
      threads: Math.min(THREADS_MAX, availableParallelism()),
      fetchesMax: options.parallelism ?? PARALLELISM_DEFAULT,
      onBytes: (count) => {
        doneBytes += count;
        options.onProgress?.({ doneBytes, totalBytes: plan.sizeBytes });
      },
      signal,
    });
    signal.throwIfAborted();
    await output.sync();
    checkIntegrity(output.temporary, options.integrityCheck ?? 'none');
    signal.throwIfAborted();
    await output.publish();
    return {
      txid: formatTXID(plan.txid),
      timestamp: new Date(header.timestampMs).toISOString(),
      filesRead,
      bytesRead: doneBytes,
      pageSize: header.pageSize,
      commit: header.commit,
      durationMs: Math.round(performance.now() - started),
    };
  } catch (error) {
    await output.discard();
    throw error;
  }
}
