/**
 * Restores a database from a backup of Litestream 0.3: writes the snapshot, applies the WALs in order,
 * then renames into place. Like every restore, it leaves nothing behind if it fails.
 *
 * Memory: the buffer of ReadAhead, one LZ4 block, one batch of frames, and OpenTransaction.
 */

import fs from 'node:fs';
import { systemClock, type Clock } from '../clock.ts';
import { isError, ReplicationError, type ErrorCode } from '../error.ts';
import { createKernel } from '../kernel/kernel.ts';
import { writePages } from '../restore/decode/write-pages.ts';
import { checkIntegrity, type IntegrityCheck } from '../restore/integrity.ts';
import { Output, type Published } from '../restore/output.ts';
import { checkOutput, withOutputErrors, type Overwrite } from '../restore/output-target.ts';
import { ReadAhead, READS_MAX_DEFAULT } from '../restore/read-ahead.ts';
import {
  listGenerations,
  type Generation,
  type V03Segment,
  type V03Snapshot,
} from './generations.ts';
import { describeV03, formatPosition } from './layout.ts';
import {
  readV03,
  toDamageError,
  V03DamageError,
  v03Access,
  type V03File,
  type V03Source,
} from './objects.ts';
import { OpenTransaction } from './open-transaction.ts';
import { adviceBefore, planIfStored, planV03, type V03Plan, type V03Target } from './plan.ts';
import { SnapshotCheck } from './snapshot-check.ts';
import { withOthers } from './survey.ts';
import { WALStream } from './wal-stream.ts';

/** Options of `restoreV03`. */
export interface RestoreV03Options {
  readonly source: V03Source;
  /** The generations, if the caller has just listed them. */
  readonly listed?: readonly Generation[] | undefined;
  readonly target: V03Target;
  readonly output: string;
  /** Default 'refuse'. An empty file is always replaced. */
  readonly overwrite?: Overwrite | undefined;
  /** Concurrent reads. Default 16. */
  readonly parallelism?: number | undefined;
  /** Default 'none'. */
  readonly integrityCheck?: IntegrityCheck | undefined;
  readonly onProgress?:
    | ((progress: { readonly doneBytes: number; readonly totalBytes: number }) => void)
    | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
}

/** Result of `restoreV03`. */
export interface RestoreV03Report extends Published {
  readonly generation: string;
  /** "00000001:00001038": index and offset after the last applied segment. */
  readonly position: string;
  /** ISO 8601: upload of the last object that the state includes. */
  readonly timestamp: string;
  readonly filesRead: number;
  readonly bytesRead: number;
  readonly durationMs: number;
  /** Damaged snapshots that an earlier snapshot replaced. */
  readonly avoided: readonly {
    readonly file: string;
    readonly code: ErrorCode;
    readonly message: string;
  }[];
}

/** Retention may remove objects between listing and reading. We then list again, up to this often. */
const LISTINGS_MAX = 3;

/** Errors: RESTORE_*, and those of the destination. */
export async function restoreV03(options: RestoreV03Options): Promise<RestoreV03Report> {
  const { clock = systemClock, overwrite = 'refuse', source, target } = options;
  const startedAt = clock.monotonic();
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  await checkOutput(options.output, overwrite);
  const list = async (): Promise<readonly Generation[]> =>
    await listGenerations(source.client, source.root, { signal });
  let generations = options.listed ?? (await list());
  const avoided = new Map<string, V03DamageError>();
  const plan = (): V03Plan => planV03(generations, target, ({ key }) => avoided.has(key));
  let current = plan();
  const output = await Output.open(options.output, overwrite);
  try {
    for (let listings = 1; ;) {
      try {
        const done = await new V03Run(options, current, output, signal).all();
        signal.throwIfAborted();
        await output.sync();
        await checkIntegrity(output.temporary, options.integrityCheck ?? 'none', signal);
        signal.throwIfAborted();
        const published = await output.publish({ signal, clock });
        return {
          ...done,
          ...published,
          durationMs: Math.round(clock.monotonic() - startedAt),
          avoided: [...avoided.values()].map(({ file, code, message }) => ({
            file: describeV03(file),
            code,
            message,
          })),
        };
      } catch (error) {
        if (isMoved(error) && listings < LISTINGS_MAX) {
          listings += 1;
          generations = await list();
          current = plan();
        } else {
          const next = planWithout(error, avoided, plan);
          // The error about the snapshot is more useful than one about a plan without it.
          const { generation } = current;
          if (next === undefined) {
            throw await withOthers(error, {
              source,
              generations,
              target,
              signal,
              without: generation,
            });
          }
          current = next;
        }
      }
    }
  } finally {
    await output.discard();
  }
}

/** The plan from an earlier snapshot, if the error is about a snapshot and there is such a plan. */
function planWithout(
  error: unknown,
  avoided: Map<string, V03DamageError>,
  plan: () => V03Plan,
): V03Plan | undefined {
  if (!(error instanceof V03DamageError) || error.file.kind !== 'snapshot') return undefined;
  avoided.set(error.file.key, error);
  return planIfStored(plan);
}

function isMoved(error: unknown): boolean {
  return isError(error, 'REPLICA_NOT_FOUND') || isError(error, 'REPLICA_CHANGED');
}

/** One attempt with one plan. */
class V03Run {
  readonly #options: RestoreV03Options;
  readonly #plan: V03Plan;
  readonly #output: Output;
  readonly #reads: ReadAhead<V03File>;
  readonly #open: OpenTransaction;
  readonly #kernel = createKernel();
  #doneBytes = 0;

  constructor(options: RestoreV03Options, plan: V03Plan, output: Output, signal: AbortSignal) {
    const { source, parallelism = READS_MAX_DEFAULT } = options;
    this.#options = options;
    this.#plan = plan;
    this.#output = output;
    this.#open = new OpenTransaction(`${output.temporary}-wal`);
    this.#reads = new ReadAhead<V03File>([plan.snapshot, ...plan.segments], {
      access: v03Access(source),
      readsMax: parallelism,
      signal,
    });
  }

  async all(): Promise<Omit<RestoreV03Report, 'durationMs' | 'avoided' | keyof Published>> {
    const { generation, snapshot, segments, at } = this.#plan;
    try {
      const pageSize = await this.#writeSnapshot(snapshot);
      const position = await this.#applySegments(snapshot, pageSize, segments);
      return {
        generation: generation.id,
        position,
        timestamp: at.toISOString(),
        filesRead: 1 + segments.length,
        bytesRead: this.#doneBytes,
      };
    } finally {
      await this.#reads.close();
      this.#open.close();
    }
  }

  /** Returns the page size. */
  async #writeSnapshot(snapshot: V03Snapshot): Promise<number> {
    await this.#output.begin(0); // the size is not known yet
    const check = new SnapshotCheck();
    let position = 0;
    for await (const bytes of this.#read(snapshot)) {
      check.push(bytes);
      writePages(this.#output.descriptor, bytes, position);
      position += bytes.length;
    }
    try {
      return check.end();
    } catch (error) {
      throw new V03DamageError(snapshot, error);
    }
  }

  /** Returns the position after the last segment. */
  async #applySegments(
    snapshot: V03Snapshot,
    pageSize: number,
    segments: readonly V03Segment[],
  ): Promise<string> {
    let { index } = snapshot;
    let wal = this.#startWAL();
    for (const segment of segments) {
      if (segment.index !== index) {
        await this.#endWAL(wal);
        wal = this.#startWAL();
        ({ index } = segment);
      }
      if (segment.offset !== wal.sizeBytes) throw missingBefore(segment, wal.sizeBytes, segments);
      await this.#apply(segment, wal);
      if (wal.pageSize === pageSize) continue;
      // The header of a WAL has a checksum, that of a database has none.
      const reason = `its page size is ${pageSize}, but that of its WAL is ${wal.pageSize}`;
      throw new V03DamageError(snapshot, new Error(reason));
    }
    await this.#endWAL(wal);
    return formatPosition({ index, offset: wal.sizeBytes });
  }

  async #apply(segment: V03Segment, wal: WALStream): Promise<void> {
    try {
      for await (const bytes of this.#read(segment)) wal.push(bytes);
      wal.endSegment();
    } catch (error) {
      const damage = toDamageError(segment, error);
      if (!(damage instanceof V03DamageError)) throw damage;
      const advice = adviceBefore(segment, this.#plan.segments);
      throw new ReplicationError(damage.code, damage.message + advice, { cause: error });
    }
  }

  #startWAL(): WALStream {
    const { descriptor } = this.#output;
    const wal: WALStream = new WALStream({
      kernel: this.#kernel,
      open: this.#open,
      writePage: (pgno, page) => writePages(descriptor, page, (pgno - 1) * page.length),
    });
    return wal;
  }

  async #endWAL({ commit, pageSize }: WALStream): Promise<void> {
    this.#open.rollBack();
    if (commit === 0 || pageSize === undefined) return;
    const sizeBytes = commit * pageSize;
    await withOutputErrors(`truncate the restored file to ${sizeBytes} bytes`, async () => {
      await ftruncate(this.#output.descriptor, sizeBytes);
    });
  }

  #read(file: V03File): AsyncGenerator<Uint8Array, void> {
    const { onProgress } = this.#options;
    return readV03(this.#reads, file, (count) => {
      this.#doneBytes += count;
      onProgress?.({ doneBytes: this.#doneBytes, totalBytes: this.#plan.sizeBytes });
    });
  }
}

async function ftruncate(descriptor: number, sizeBytes: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  fs.ftruncate(descriptor, sizeBytes, (error) => (error === null ? resolve() : reject(error)));
  await promise;
}

function missingBefore(
  segment: V03Segment,
  expected: number,
  segments: readonly V03Segment[],
): ReplicationError {
  const missing = describeV03({ ...segment, offset: expected });
  return new ReplicationError(
    'RESTORE_GAP',
    `restore from Litestream 0.3: ${missing} is missing, or the segment before ${describeV03(segment)} ` +
      `has the wrong length${adviceBefore(segment, segments)}`,
  );
}
