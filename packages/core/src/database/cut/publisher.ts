/**
 * Gives staged files their names, one after the other, and tells of each when it is durable.
 *
 * The position is written before a file gets its name, and never goes back: an image that becomes
 * whole after files above it leaves the position of the newest of them.
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
import { joined } from './encode.ts';

export interface PublisherContext {
  readonly staging: Staging;
  readonly kernel: Kernel;
  readonly encoding: PageEncoding;
  readonly wal: WALReader;
  /** Says what the database file shows when a position is written. */
  readonly guard: FileGuard;
  readonly emit: (event: EngineEvent) => void;
  /** Whether what is committed meanwhile can be held for longer, while a cut waits for room. */
  readonly mayWait: () => boolean;
  /** Bytes of a cut were encoded. */
  readonly onMoved: () => void;
  /** A cut is staged. */
  readonly onCut: () => void;
  /** Called once: after that nothing more is published. */
  readonly onError: (error: unknown) => void;
}

/** A cut that found no room is tried again after this: space is freed by others. */
const ROOM_RETRY_MS = 500;

/** An image or a snapshot that is written to a temporary file. */
export interface WrittenImage {
  readonly txid: TXID;
  readonly temporary: string;
  readonly sizeBytes: number;
  readonly pageSize: number;
  readonly commit: number;
  readonly lineage: bigint;
  readonly timestampMs: number;
  /** Of the file, as StagedEvent has them. */
  readonly since: number;
  readonly asOf: number;
}

export class Publisher {
  readonly #context: PublisherContext;
  #queue: Promise<void> = Promise.resolve();
  /** What the position file says. */
  #position: Position | undefined;
  #newestTXID: bigint;
  #cuts = 0;
  #pins = 0;
  #pending = 0;
  #failed = false;

  /** `position`: of the newest staged file, where that is known. */
  constructor(context: PublisherContext, position?: Position) {
    this.#context = context;
    this.#position = position;
    this.#newestTXID = position?.txid ?? 0n;
  }

  /** Whether a cut is on its way. */
  get isCutting(): boolean {
    return this.#cuts > 0;
  }

  /** Whether pages of a cut still lie in the log only: then the reader must not move. */
  get pinsLog(): boolean {
    return this.#pins > 0;
  }

  /** Resolves when everything that was given is published, or publishing has failed. */
  async settled(): Promise<'published' | 'failed'> {
    await this.#queue;
    return this.#failed ? 'failed' : 'published';
  }

  /** Whether anything is on its way. */
  get isIdle(): boolean {
    return this.#pending === 0;
  }

  cut(cut: Cut): void {
    this.#cuts += 1;
    if (cut.tail.spilled) this.#pins += 1;
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
      await staging.imageIsWhole();
      const of = { pageSize, commit, lineage, timestampMs, since, asOf };
      emit({ kind: 'staged', file, content: 'image', ...of });
    });
  }

  /** Nothing hangs on a snapshot: one that cannot be published is told, and all else goes on. */
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

  /** Where there is no room, waits for it for as long as all that is committed meanwhile can be held. */
  async #stage(cut: Cut): Promise<StagedFile> {
    const { staging, kernel, encoding, wal, emit, onMoved, mayWait } = this.#context;
    const temporary = staging.temporary(`cut-${formatTXID(cut.txid)}`);
    for (let isTold = false; ; isTold = true) {
      try {
        const chunks = noticed(joined(encodeCut(cut, kernel, encoding, wal)), onMoved);
        const sizeBytes = await staging.write(temporary, chunks, 'cut');
        if (cut.tail.spilled) this.#pins -= 1;
        await this.#writePosition(cut, cut.place);
        return await staging.publish(temporary, 0, cut.txid, cut.txid, sizeBytes);
      } catch (error) {
        if (!isError(error, 'STAGING_FULL') || cut.tail.spilled || !mayWait()) throw error;
        if (!isTold) emit({ kind: 'full', message: messageOf(error) });
        await sleep(ROOM_RETRY_MS);
      }
    }
  }

  /** Says anew what the database file shows, of the newest file, which is published. */
  position(position: Position): void {
    if (isSamePosition(this.#position, position)) return;
    this.#enqueue(async () => {
      if (position.txid !== this.#newestTXID) return;
      try {
        await this.#store(position);
      } catch (error) {
        if (!isFull(error)) throw error; // the old one holds, and at worst proves nothing
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
        if (!this.#failed) await work();
      } catch (error) {
        this.#failed = true;
        this.#context.onError(error);
      } finally {
        this.#pending -= 1;
      }
    });
  }
}

function* noticed<T>(items: Iterable<T>, onItem: () => void): Iterable<T> {
  for (const item of items) {
    onItem();
    yield item;
  }
}
