/**
 * Makes the images of a followed database, one at a time: an image under the next TXID, or a
 * snapshot (level 9) of a TXID that already exists.
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
  /** The highest TXID ever assigned here. */
  readonly lastTXID: bigint;
}

/** The database follower that images are made beside. */
export interface ImageHost extends JobHost {
  /** Triggers a look at the log. */
  wake(): void;
  /** Resolves when every committed frame is held. */
  waitUntilHeld(): Promise<void>;
  /** Also verifies that the file is still the one that was opened. */
  waitUntilVerified(): Promise<void>;
  /** Called when an image is staged. */
  imageStaged(txid: TXID, asOf: number): void;
  imageFailed(error: unknown): void;
  snapshotFailed(error: unknown): void;
}

export class Images {
  readonly #context: ImagesContext;
  readonly #host: ImageHost;
  #job: ImageJob | undefined;
  /** TXID of an image that is announced but not staged yet. */
  #announced: TXID | undefined;
  #task: Promise<void> = Promise.resolve();

  constructor(context: ImagesContext, host: ImageHost) {
    this.#context = context;
    this.#host = host;
  }

  /** Whether an image is announced but not staged yet. */
  get isAnnounced(): boolean {
    return this.#announced !== undefined;
  }

  /** Resolves when every requested image is finished or has failed. */
  async settled(): Promise<void> {
    await this.#task;
  }

  /** Adds frames to the image that is being copied, if any. */
  add(batch: FrameBatch): void {
    this.#job?.add(batch);
  }

  /** Makes an image under the next TXID. Nothing is cut until it is frozen. */
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

  /** Makes a snapshot of the newest TXID, if any. */
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

  /** Queues `work`, which makes one image. */
  #run(work: () => Promise<void>, onError: (error: unknown) => void): void {
    this.#task = this.#task.then(async () => {
      if (!this.#host.isOpen) return;
      const { clock, gauges, staging } = this.#context;
      try {
        gauges.set('imageMovedAt', clock.monotonic());
        await work();
      } catch (error) {
        const action = `make a full snapshot in ${staging.folder}`;
        onError(isSystemError(error) ? toStagingError(action, error) : error);
      } finally {
        this.#job?.discard();
        this.#job = undefined;
        gauges.set('imageMovedAt', 0);
      }
    });
  }

  /** Returns undefined if the database was closed meanwhile. STAGING_FULL if there is no room. */
  async #copy(name: string): Promise<ImageJob | undefined> {
    await requireImageRoom(this.#context);
    await this.#host.waitUntilHeld();
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
    await this.#host.waitUntilVerified(); // the image is the state after this look
    const commit = job.freeze();
    const times = freshness.image();
    const lineage = drawLineage(random);
    const { place } = database.follower;
    const { pageSize } = database.connections;
    cutter.resume({ txid, commit, lineage });
    emit({ kind: 'imaging', txid, why });
    const range = { minTXID: txid, maxTXID: txid };
    const identity = { ...range, pageSize, commit, lineage, timestampMs: cutter.nextTimestampMs() };
    cutter.publisher.image(await job.write(identity, times), place);
    const settled = await cutter.publisher.settled();
    this.#announced = undefined;
    if (settled !== 'failed') this.#host.imageStaged(txid, times.asOf);
  }

  async #publishSnapshot(job: ImageJob): Promise<void> {
    const { cutter, database, gauges } = this.#context;
    await this.#host.waitUntilVerified(); // the snapshot is the state after this look
    cutter.cutRest();
    const { head } = cutter;
    assert(head !== undefined, 'a snapshot has a TXID that was assigned before');
    const { txid, lineage } = head;
    const commit = job.freeze(head.commit);
    const asOf = gauges.get('lookedAt');
    const { pageSize } = database.connections;
    const range = { minTXID: toTXID(1), maxTXID: toTXID(txid) };
    const identity = { ...range, pageSize, commit, lineage, timestampMs: cutter.nextTimestampMs() };
    const written = await job.write(identity, { since: asOf, asOf });
    // The increment with the same TXID must be published first.
    if ((await cutter.publisher.settled()) !== 'failed') await cutter.publisher.snapshot(written);
  }
}
