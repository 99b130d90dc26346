/**
 * Reads a followed database whole, one task at a time: for an image under the next TXID, for a snapshot
 * (level 9) of a TXID that already exists, or for an increment of the pages that differ from their
 * checksums.
 */

import { assert } from '../../error.ts';
import { highestOf, toTXID, type TXID } from '../../ltx/txid.ts';
import type { FrameBatch } from '../../wal/reader.ts';
import { ChangedPages } from '../checksums/changed-pages.ts';
import type { ChecksumBase } from '../checksums/checksum-file.ts';
import { drawLineage } from '../cut/cut.ts';
import type { Cutter } from '../cut/cutter.ts';
import { encodePages, headerOf } from '../cut/encode.ts';
import type { Freshness, Times } from '../freshness.ts';
import { isSystemError, toStagingError } from '../staging/staging-error.ts';
import { type CopyHost, type DatabaseContext, FuzzyCopy } from './fuzzy-copy.ts';
import { ImageJob, requireImageRoom } from './image-job.ts';

export interface ImagesContext extends DatabaseContext {
  readonly cutter: Cutter;
  readonly freshness: Freshness;
  /** The highest TXID ever assigned here. */
  readonly lastTXID: bigint;
}

/** The database follower that images are made beside. */
export interface ImageHost extends CopyHost {
  /** Triggers a look at the log. */
  wake(): void;
  /** Resolves when every committed frame is held. */
  waitUntilHeld(): Promise<void>;
  /** Also verifies that the file is still the one that was opened. */
  waitUntilVerified(): Promise<void>;
  /** Called when an image or the pages that differ are staged. */
  imageStaged(txid: TXID, times: Times): void;
  imageFailed(error: unknown): void;
  snapshotFailed(error: unknown): void;
}

export interface ImageOrder {
  /** The highest TXID anywhere. */
  readonly floor: bigint;
  readonly why: string;
}

export class Images {
  readonly #context: ImagesContext;
  readonly #host: ImageHost;
  #copying: Pick<FuzzyCopy<never>, 'add' | 'discard'> | undefined;
  /** TXID of an image that is announced but not staged yet. */
  #announced: TXID | undefined;
  #task: Promise<void> = Promise.resolve();
  /** Number of images and snapshots that were requested and are not finished. */
  #requested = 0;

  constructor(context: ImagesContext, host: ImageHost) {
    this.#context = context;
    this.#host = host;
  }

  /** Whether an image is announced but not staged yet. */
  get isAnnounced(): boolean {
    return this.#announced !== undefined;
  }

  /** Whether a requested image or snapshot is not finished. */
  get isRunning(): boolean {
    return this.#requested > 0;
  }

  /** Resolves when every requested image is finished or has failed. */
  async settled(): Promise<void> {
    await this.#task;
  }

  /** Adds frames to the copy that is being made, if any. */
  add(batch: FrameBatch): void {
    this.#copying?.add(batch);
  }

  /** Makes an image under the next TXID. Nothing is cut until it is frozen. */
  image(order: ImageOrder): void {
    this.#run(
      () => this.#makeImage(order),
      (error) => this.#host.imageFailed(error),
    );
  }

  /**
   * Stages the pages that differ from the checksums of the newest staged file, as the increment after it.
   * Makes an image if they are too many, or if there are no checksums.
   */
  changes(order: ImageOrder): void {
    this.#run(
      async () => {
        const { checksums, cutter } = this.#context;
        cutter.suspend();
        await cutter.publisher.settled();
        const { base } = checksums; // of the newest staged file
        const copy = base === undefined ? undefined : await this.#compare(base);
        if (!this.#host.isOpen) return;
        const isDone =
          base !== undefined && copy !== undefined && (await this.#publishChanges(copy, base));
        if (isDone) return;
        this.#discardCopy();
        await this.#makeImage(order);
      },
      (error) => this.#host.imageFailed(error),
    );
  }

  /** Makes a snapshot of the newest TXID, if any. */
  snapshot(): void {
    this.#run(
      async () => {
        if (this.#context.cutter.head === undefined) return;
        const job = await this.#copyImage('snapshot');
        if (job !== undefined) await this.#publishSnapshot(job);
      },
      (error) => this.#host.snapshotFailed(error),
    );
  }

  /** Queues `work`, which makes one copy. */
  #run(work: () => Promise<void>, onError: (error: unknown) => void): void {
    this.#requested += 1;
    const run = async (): Promise<void> => {
      if (!this.#host.isOpen) return;
      const { clock, gauges, staging } = this.#context;
      try {
        gauges.set('imageMovedAt', clock.monotonic());
        await work();
      } catch (error) {
        const action = `make a full snapshot in ${staging.folder}`;
        onError(isSystemError(error) ? toStagingError(action, error) : error);
      } finally {
        this.#discardCopy();
        gauges.set('imageMovedAt', 0);
      }
    };
    this.#task = this.#task.then(run).finally(() => {
      this.#requested -= 1;
    });
  }

  #discardCopy(): void {
    this.#copying?.discard();
    this.#copying = undefined;
  }

  async #makeImage(order: ImageOrder): Promise<void> {
    const { cutter, lastTXID } = this.#context;
    const before = cutter.suspend();
    const job = await this.#copyImage('image');
    if (job === undefined) return;
    const txid = toTXID(highestOf(order.floor, before, lastTXID) + 1n);
    await this.#publishImage(job, txid, order.why);
  }

  /** Returns undefined if the database was closed meanwhile. STAGING_FULL if there is no room. */
  async #copyImage(name: 'image' | 'snapshot'): Promise<ImageJob | undefined> {
    const { checksums, database } = this.#context;
    const { connections } = database;
    const { pageSize } = connections;
    await requireImageRoom(this.#context);
    await this.#host.waitUntilHeld();
    const pages = connections.fileSizeBytes() / pageSize;
    const table = name === 'image' ? checksums.newTable(pageSize, pages) : undefined;
    const job = ImageJob.begin(this.#context, this.#host, { name, table });
    await this.#copy(job.copy);
    return this.#host.isOpen ? job : undefined;
  }

  /** Compares the database with the checksums of the newest staged file. */
  async #compare({ table }: ChecksumBase): Promise<FuzzyCopy<ChangedPages>> {
    const { database, kernel, staging } = this.#context;
    const { connections } = database;
    const read = (into: Uint8Array, at: number): number => connections.readFile(into, at);
    await this.#host.waitUntilHeld();
    const copy = FuzzyCopy.begin(
      this.#context,
      this.#host,
      () => new ChangedPages({ kernel, table, read }, staging.scratch('changes')),
    );
    await this.#copy(copy);
    return copy;
  }

  async #copy(copy: Pick<FuzzyCopy<never>, 'add' | 'copy' | 'discard'>): Promise<void> {
    this.#copying = copy;
    this.#host.wake();
    await copy.copy();
  }

  /** Returns false, and stages nothing, if an image is the better choice. */
  async #publishChanges(copy: FuzzyCopy<ChangedPages>, base: ChecksumBase): Promise<boolean> {
    const { cutter, database, emit, freshness, kernel, options } = this.#context;
    if (copy.pages.isTooMany) return false; // the rest of the file was not read
    await this.#host.waitUntilVerified(); // the increment leads to the state after this look
    const state = copy.freeze();
    const pgnos = copy.pages.pgnos(state);
    const isMost = copy.pages.isTooMany || 2 * pgnos.length > state.commit;
    const isCutOff = pgnos.length === 0 && state.commit !== base.table.pages; // page 1 has the size
    if (isMost || isCutOff) return false;
    const times = freshness.image();
    const { place } = database.follower;
    const { pageSize } = database.connections;
    const txid = toTXID(pgnos.length === 0 ? base.txid : base.txid + 1n);
    const { lineage } = base;
    const { commit } = state;
    cutter.resume({ txid, commit, lineage });
    emit({ kind: 'compared', txid, pages: commit, changed: pgnos.length });
    if (pgnos.length === 0) cutter.publisher.continueAfter(txid);
    else {
      const timestampMs = cutter.nextTimestampMs();
      const of = { pageSize, commit, lineage, timestampMs };
      const header = headerOf({ ...of, minTXID: txid, maxTXID: txid });
      cutter.publisher.increment({
        ...of,
        ...times,
        txid,
        place,
        isSpilled: false,
        purpose: 'image', // it may be half as large
        encode: (observe) =>
          encodePages(kernel, options.pageEncoding, header, pgnos, copy.pages.read, observe),
        release: () => undefined,
      });
    }
    const settled = await cutter.publisher.settled();
    if (settled !== 'failed') this.#host.imageStaged(txid, times);
    return true;
  }

  async #publishImage(job: ImageJob, txid: TXID, why: string): Promise<void> {
    const { cutter, database, emit, freshness, random, staging } = this.#context;
    await staging.announceImage(txid);
    this.#announced = txid;
    await this.#host.waitUntilVerified(); // the image is the state after this look
    const state = job.copy.freeze();
    const { commit } = state;
    const times = freshness.image();
    const lineage = drawLineage(random);
    const { place } = database.follower;
    const { pageSize } = database.connections;
    cutter.resume({ txid, commit, lineage });
    cutter.publisher.imageBegan(job.table);
    emit({ kind: 'imaging', txid, why });
    const range = { minTXID: txid, maxTXID: txid };
    const identity = { ...range, pageSize, commit, lineage, timestampMs: cutter.nextTimestampMs() };
    cutter.publisher.image(await job.write(identity, state, times), place);
    const settled = await cutter.publisher.settled();
    this.#announced = undefined;
    if (settled !== 'failed') this.#host.imageStaged(txid, times);
  }

  async #publishSnapshot(job: ImageJob): Promise<void> {
    const { cutter, database, gauges } = this.#context;
    await this.#host.waitUntilVerified(); // the snapshot is the state after this look
    cutter.cutRest();
    const { head } = cutter;
    assert(head !== undefined, 'a snapshot has a TXID that was assigned before');
    const { txid, lineage } = head;
    const state = job.copy.freeze(head.commit);
    const { commit } = state;
    const asOf = gauges.get('lookedAt');
    const { pageSize } = database.connections;
    const range = { minTXID: toTXID(1), maxTXID: toTXID(txid) };
    // A restore to a time finds this state by the time of its last commit, at whatever level it is.
    const identity = { ...range, pageSize, commit, lineage, timestampMs: cutter.headTimestampMs };
    const written = await job.write(identity, state, { since: asOf, asOf });
    // The increment with the same TXID must be published first.
    if ((await cutter.publisher.settled()) !== 'failed') await cutter.publisher.snapshot(written);
  }
}
