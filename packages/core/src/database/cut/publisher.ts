/**
 * Publishes staged files under their final names, one at a time, and emits an event once each is durable.
 *
 * The position is written before a file gets its name, and never moves back: an image that is
 * published after files with higher TXIDs keeps the position of the newest file.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { isError, messageOf } from '../../error.ts';
import type { Kernel, PageEncoding } from '../../kernel/kernel.ts';
import { formatTXID, toTXID, type TXID } from '../../ltx/txid.ts';
import type { LogPlace } from '../../wal/frame.ts';
import type { WALReader } from '../../wal/reader.ts';
import type { FileGuard } from '../continuity/guard.ts';
import { isSamePosition, type Position, type Staged, toPosition } from '../continuity/position.ts';
import type { EngineEvent } from '../events.ts';
import { isFull } from '../staging/staging-error.ts';
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
    this.#cuts += 1;
    if (cut.tail.isSpilled) this.#pins += 1;
    this.#enqueue(() => this.#publishCut(cut));
  }

  image(image: WrittenImage, place: LogPlace): void {
    this.#enqueue(async () => {
      const { staging, emit } = this.#context;
      const { txid, pageSize, commit, lineage, timestampMs, since, asOf } = image;
      if (this.#newestTXID < txid) {
        await this.#writePosition({ txid, pageSize, commit, lineage }, place);
        this.#newestTXID = txid;
      }
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

  async #publishCut(cut: Cut): Promise<void> {
    const file = await this.#stage(cut);
    cut.tail.release();
    this.#newestTXID = cut.txid;
    this.#cuts -= 1;
    const { pageSize, commit, lineage, timestampMs, since, asOf } = cut;
    const of = { pageSize, commit, lineage, timestampMs, since, asOf };
    this.#context.emit({ kind: 'staged', file, content: 'increment', ...of });
    this.#context.onCut();
  }

  /** Stages a cut. If there is no room, waits for it as long as new commits can be held. */
  async #stage(cut: Cut): Promise<StagedFile> {
    const { staging, kernel, encoding, wal, emit, onProgress, mayWait } = this.#context;
    const temporary = staging.temporary(`cut-${formatTXID(cut.txid)}`);
    for (let isReported = false; ; isReported = true) {
      try {
        const chunks = withCallback(joinChunks(encodeCut(cut, kernel, encoding, wal)), onProgress);
        const sizeBytes = await staging.write(temporary, chunks, 'cut');
        if (cut.tail.isSpilled) this.#pins -= 1;
        await this.#writePosition(cut, cut.place);
        return await staging.publish(temporary, 0, cut.txid, cut.txid, sizeBytes);
      } catch (error) {
        if (!isError(error, 'STAGING_FULL') || cut.tail.isSpilled || !mayWait()) throw error;
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

function* withCallback<T>(items: Iterable<T>, onItem: () => void): Iterable<T> {
  for (const item of items) {
    onItem();
    yield item;
  }
}
