/**
 * Publishes staged files under their final names, one at a time, and emits an event once each is durable.
 *
 * The steps of a cut: its bytes, its page checksums, its position, its name. A start after a kill between
 * any two of them continues: up to the position the cut was never made, and after it, the start gives the
 * file its name (staging/unnamed.ts).
 *
 * The position never moves back: an image that is published after files with higher TXIDs keeps the
 * position of the newest file.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { assert, isError, messageOf } from '../../error.ts';
import type { Kernel, PageEncoding } from '../../kernel/kernel.ts';
import { toTXID, type TXID } from '../../ltx/txid.ts';
import type { LogPlace } from '../../wal/frame.ts';
import type { WALReader } from '../../wal/reader.ts';
import type { ChecksumTable } from '../checksums/checksum-table.ts';
import type { Checksums } from '../checksums/checksums.ts';
import { CollectedChecksums, type ObservePages } from '../checksums/collected.ts';
import type { FileGuard } from '../continuity/guard.ts';
import { isSamePosition, type Position, type Staged, toPosition } from '../continuity/position.ts';
import type { EngineEvent } from '../events.ts';
import { isFull } from '../staging/staging-error.ts';
import type { Purpose } from '../staging/room.ts';
import type { StagedFile, Staging } from '../staging/staging.ts';
import { type Cut, encodeCut } from './cut.ts';
import { joinChunks } from './encode.ts';

export interface PublisherContext {
  readonly staging: Staging;
  readonly kernel: Kernel;
  readonly encoding: PageEncoding;
  readonly wal: WALReader;
  /** Provides the evidence of the database file for a position. */
  readonly guard: FileGuard;
  readonly checksums: Checksums;
  readonly emit: (event: EngineEvent) => void;
  /** Whether a cut may wait for free space: new commits can still be held. */
  readonly mayWait: () => boolean;
  /** Called when a chunk of a cut is encoded. */
  readonly onProgress: () => void;
  /** Called when a cut is staged. */
  readonly onCut: () => void;
  /** Called at most once. Nothing is published after it. */
  readonly onError: (error: unknown) => void;
}

/** Wait before a cut that found no room is retried. */
const ROOM_RETRY_MS = 500;

/** An image or a snapshot that was written to a temporary file. */
export interface WrittenImage {
  readonly txid: TXID;
  readonly temporary: string;
  readonly sizeBytes: number;
  readonly pageSize: number;
  readonly commit: number;
  readonly lineage: bigint;
  readonly timestampMs: number;
  /** See StagedEvent. */
  readonly since: number;
  readonly asOf: number;
  readonly fileChecksum: bigint;
}

/** An increment to encode and publish. */
export interface Increment extends Staged {
  readonly timestampMs: number;
  /** See StagedEvent. */
  readonly since: number;
  readonly asOf: number;
  readonly place: LogPlace;
  /** Whether some of its pages are still only in the log. */
  readonly isSpilled: boolean;
  /** One that is as large as an image does not use the space that is kept for cuts, and does not wait for it. */
  readonly purpose: Purpose;
  /** Encodes it. May be called again if there was no room. */
  readonly encode: (observe: ObservePages) => Iterable<Uint8Array>;
  /** Called when it is staged. */
  readonly release: () => void;
}

export class Publisher {
  readonly #context: PublisherContext;
  #queue: Promise<void> = Promise.resolve();
  /** The position in the position file. */
  #position: Position | undefined;
  #newestTXID: bigint;
  #cuts = 0;
  #pins = 0;
  #pending = 0;
  #hasFailed = false;

  /** `position`: that of the newest staged file, if known. */
  constructor(context: PublisherContext, position?: Position) {
    this.#context = context;
    this.#position = position;
    this.#newestTXID = position?.txid ?? 0n;
  }

  /** Whether a cut is in progress. */
  get isCutting(): boolean {
    return this.#cuts > 0;
  }

  /** Whether pages of a cut are still only in the log: then the reader must not move. */
  get pinsLog(): boolean {
    return this.#pins > 0;
  }

  /** Resolves when everything in the queue is published, or publishing has failed. */
  async settled(): Promise<'published' | 'failed'> {
    await this.#queue;
    return this.#hasFailed ? 'failed' : 'published';
  }

  /** Whether the queue is empty. */
  get isIdle(): boolean {
    return this.#pending === 0;
  }

  cut(cut: Cut): void {
    const { kernel, encoding, wal } = this.#context;
    this.increment({
      ...cut,
      isSpilled: cut.tail.isSpilled,
      purpose: 'cut',
      encode: (observe) => encodeCut(cut, kernel, encoding, wal, observe),
      release: () => cut.tail.release(),
    });
  }

  increment(increment: Increment): void {
    this.#cuts += 1;
    if (increment.isSpilled) this.#pins += 1;
    this.#enqueue(() => this.#publishIncrement(increment));
  }

  /** The newest staged file has this TXID, and its position is not known. */
  continueAfter(txid: bigint): void {
    this.#newestTXID = txid;
  }

  /** A full snapshot is frozen, and will be published later. Call before anything above it is cut. */
  imageBegan(table: ChecksumTable | undefined): void {
    this.#enqueue(() => this.#context.checksums.imageBegan(table));
  }

  image(image: WrittenImage, place: LogPlace): void {
    this.#enqueue(async () => {
      const { staging, emit, checksums } = this.#context;
      const { txid, pageSize, commit, lineage, timestampMs, since, asOf } = image;
      if (this.#newestTXID < txid) {
        await this.#writePosition({ txid, pageSize, commit, lineage }, place);
        this.#newestTXID = txid;
      }
      await checksums.imageWritten(image);
      const file = await staging.publish(image.temporary, 0, txid, txid, image.sizeBytes);
      await staging.completeImage();
      const of = { pageSize, commit, lineage, timestampMs, since, asOf };
      emit({ kind: 'staged', file, content: 'image', ...of });
    });
  }

  /** Publishes a snapshot. Nothing depends on it: an error rejects, but does not stop the publisher. */
  async snapshot(image: WrittenImage): Promise<void> {
    const { staging, emit } = this.#context;
    const { txid, pageSize, commit, lineage, timestampMs, since, asOf } = image;
    const file = await staging.publish(image.temporary, 9, toTXID(1), txid, image.sizeBytes);
    const of = { pageSize, commit, lineage, timestampMs, since, asOf };
    emit({ kind: 'staged', file, content: 'snapshot', ...of });
  }

  async #publishIncrement(increment: Increment): Promise<void> {
    const file = await this.#stage(increment);
    increment.release();
    this.#newestTXID = increment.txid;
    this.#cuts -= 1;
    const { pageSize, commit, lineage, timestampMs, since, asOf } = increment;
    const of = { pageSize, commit, lineage, timestampMs, since, asOf };
    this.#context.emit({ kind: 'staged', file, content: 'increment', ...of });
    this.#context.onCut();
  }

  /** Stages an increment. If there is no room, waits for it as long as new commits can be held. */
  async #stage(increment: Increment): Promise<StagedFile> {
    const { staging, kernel, checksums, emit, onProgress, mayWait } = this.#context;
    const { txid, commit, isSpilled, place, purpose } = increment;
    assert(txid > this.#newestTXID, 'a TXID is staged once');
    const temporary = staging.temporaryCut(txid);
    for (let isReported = false; ; isReported = true) {
      try {
        const collected = new CollectedChecksums(checksums.table, kernel);
        const chunks = withCallback(joinChunks(increment.encode(collected.observe)), (chunk) => {
          collected.chunk(chunk);
          onProgress();
        });
        const sizeBytes = await staging.write(temporary, chunks, purpose);
        if (isSpilled) this.#pins -= 1;
        const { fileChecksum, pages } = collected;
        await checksums.add({ txid, commit, fileChecksum, ...pages });
        await this.#writePosition(increment, place);
        return await staging.publish(temporary, 0, txid, txid, sizeBytes);
      } catch (error) {
        const isWaiting = !isSpilled && purpose === 'cut' && mayWait();
        if (!isError(error, 'STAGING_FULL') || !isWaiting) throw error;
        if (!isReported) emit({ kind: 'full', message: messageOf(error) });
        await sleep(ROOM_RETRY_MS);
      }
    }
  }

  /** The position in the position file; undefined if there is none. */
  get stored(): Position | undefined {
    return this.#position;
  }

  /** Rewrites the position of the newest published file with new evidence. */
  position(position: Position): void {
    if (isSamePosition(this.#position, position)) return;
    this.#enqueue(async () => {
      if (position.txid !== this.#newestTXID) return;
      try {
        await this.#store(position);
      } catch (error) {
        if (!isFull(error)) throw error; // the old position stays valid, and at worst proves nothing
      }
    });
  }

  async #writePosition(staged: Staged, place: LogPlace): Promise<void> {
    const file = this.#context.guard.evidence();
    await this.#store(toPosition(staged, place, { file, atRest: false }));
  }

  async #store(position: Position): Promise<void> {
    await this.#context.staging.writePosition(position);
    this.#position = position;
  }

  #enqueue(work: () => Promise<void>): void {
    this.#pending += 1;
    this.#queue = this.#queue.then(async () => {
      try {
        if (!this.#hasFailed) await work();
      } catch (error) {
        this.#hasFailed = true;
        this.#context.onError(error);
      } finally {
        this.#pending -= 1;
      }
    });
  }
}

function* withCallback<T>(items: Iterable<T>, onItem: (item: T) => void): Iterable<T> {
  for (const item of items) {
    onItem(item);
    yield item;
  }
}
