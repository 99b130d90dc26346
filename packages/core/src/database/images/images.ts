/**
 * The images of a followed database, one after the other: an image that is the next commit, or a
 * snapshot (level 9) of a state that was committed before.
 */

import { assert } from '../../error.ts';
import { highestOf, toTXID, type TXID } from '../../ltx/txid.ts';
import type { FrameBatch } from '../../wal/reader.ts';
import { drawLineage } from '../cut/cut.ts';
import type { Cutter } from '../cut/cutter.ts';
import type { Freshness } from '../freshness.ts';
import { isSystemError, toStagingError } from '../staging/staging-error.ts';
import {
  type DatabaseContext,
  type ImageHost as JobHost,
  ImageJob,
  requireImageRoom,
} from './image-job.ts';

export interface ImagesContext extends DatabaseContext {
  readonly cutter: Cutter;
  readonly freshness: Freshness;
  /** The highest TXID that was ever given out here. */
  readonly lastTXID: bigint;
}

/** The following that images are made beside. */
export interface ImageHost extends JobHost {
  /** Looks at the log again. */
  wake(): void;
  /** Resolves when everything committed is held. */
  untilHeld(): Promise<void>;
  /** The same, and the file is seen to be the one that was opened. */
  untilVouched(): Promise<void>;
  /** An image is staged. */
  imageStaged(txid: TXID, asOf: number): void;
  imageFailed(error: unknown): void;
  snapshotFailed(error: unknown): void;
}

export class Images {
  readonly #context: ImagesContext;
  readonly #host: ImageHost;
  #job: ImageJob | undefined;
  /** TXID of an image that is announced and not staged yet. */
  #announced: TXID | undefined;
  #task: Promise<void> = Promise.resolve();

  constructor(context: ImagesContext, host: ImageHost) {
    this.#context = context;
    this.#host = host;
  }

  /** Whether an image is announced that is not staged yet. */
  get isAnnounced(): boolean {
    return this.#announced !== undefined;
  }

  /** Resolves when everything that was ordered is made, or has failed. */
  async settled(): Promise<void> {
    await this.#task;
  }

  /** Frames that the image holds, if one is being copied. */
  add(batch: FrameBatch): void {
    this.#job?.add(batch);
  }

  /** Makes an image that is the next commit: until it is frozen nothing is cut. */
  image(order: { readonly floor: bigint; readonly why: string }): void {
    const { cutter, lastTXID } = this.#context;
    this.#run(
      async () => {
        const before = cutter.suspend();
        const job = await this.#copy('image');
        if (job === undefined) return;
        const txid = toTXID(highestOf(order.floor, before, lastTXID) + 1n);
        await this.#publishImage(job, txid, order.why);
      },
      (error) => this.#host.imageFailed(error),
    );
  }

  /** Makes a snapshot of the newest TXID, if there is one. */
  snapshot(): void {
    this.#run(
      async () => {
        if (this.#context.cutter.head === undefined) return;
        const job = await this.#copy('snapshot');
        if (job !== undefined) await this.#publishSnapshot(job);
      },
      (error) => this.#host.snapshotFailed(error),
    );
  }

  /** `work` makes one image, after those that were ordered before. */
  #run(work: () => Promise<void>, onError: (error: unknown) => void): void {
    this.#task = this.#task.then(async () => {
      if (!this.#host.isOpen) return;
      const { clock, gauges, staging } = this.#context;
      try {
        gauges.set('imageMovedAt', clock.monotonic());
        await work();
      } catch (error) {
        const what = `make a full snapshot in ${staging.folder}`;
        onError(isSystemError(error) ? toStagingError(what, error) : error);
      } finally {
        this.#job?.discard();
        this.#job = undefined;
        gauges.set('imageMovedAt', 0);
      }
    });
  }

  /** STAGING_FULL where there is no room. Undefined if the database was closed meanwhile. */
  async #copy(name: string): Promise<ImageJob | undefined> {
    await requireImageRoom(this.#context);
    await this.#host.untilHeld();
    const job = ImageJob.begin(this.#context, this.#host, name);
    this.#job = job;
    this.#host.wake();
    await job.copy();
    return this.#host.isOpen ? job : undefined;
  }

  async #publishImage(job: ImageJob, txid: TXID, why: string): Promise<void> {
    const { cutter, database, emit, freshness, random, staging } = this.#context;
    await staging.announceImage(txid);
    this.#announced = txid;
    await this.#host.untilVouched(); // the image is the state after this look
    const commit = job.freeze();
    const times = freshness.image();
    const lineage = drawLineage(random);
    const { place } = database.follower;
    const { pageSize } = database.connections;
    cutter.resume({ txid, commit, lineage });
    emit({ kind: 'imaging', txid, why });
    const range = { minTXID: txid, maxTXID: txid };
    const identity = { ...range, pageSize, commit, lineage, timestampMs: cutter.stamp() };
    cutter.publisher.image(await job.write(identity, times), place);
    const settled = await cutter.publisher.settled();
    this.#announced = undefined;
    if (settled !== 'failed') this.#host.imageStaged(txid, times.asOf);
  }

  async #publishSnapshot(job: ImageJob): Promise<void> {
    const { cutter, database, gauges } = this.#context;
    await this.#host.untilVouched(); // the snapshot is the state after this look
    cutter.cutRest();
    const { head } = cutter;
    assert(head !== undefined, 'a snapshot bears a TXID that was given out');
    const { txid, lineage } = head;
    const commit = job.freeze(head.commit);
    const asOf = gauges.get('lookedAt');
    const { pageSize } = database.connections;
    const range = { minTXID: toTXID(1), maxTXID: toTXID(txid) };
    const identity = { ...range, pageSize, commit, lineage, timestampMs: cutter.stamp() };
    const written = await job.write(identity, { since: asOf, asOf });
    // The increment of its own TXID comes before it.
    if ((await cutter.publisher.settled()) !== 'failed') await cutter.publisher.snapshot(written);
  }
}
