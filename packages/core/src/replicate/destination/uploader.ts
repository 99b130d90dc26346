/**
 * Keeps one replica of one database up to date. Destinations are independent: each uploader has its
 * own client, position, backoff and state.
 */

import type { Clock } from '../../clock.ts';
import { isError } from '../../error.ts';
import type { FileSystem } from '../../file-system.ts';
import { formatTXID, type TXID } from '../../ltx/txid.ts';
import type { Random } from '../../random.ts';
import type { FencedReplica, FencingState } from '../../replica/fencing.ts';
import type { Logger } from '../../store/backend.ts';
import type { Backlog, StagedSnapshot } from '../backlog.ts';
import { Wakeup } from '../waits.ts';
import { type Chain, type DestinationState, type SentRecord, stateOf } from './admission.ts';
import type { SharedReads } from './bodies.ts';
import { type DestinationActivity, Health, shouldGiveUp } from './health.ts';
import { Holdings } from './holdings.ts';
import { Lister } from './lister.ts';
import {
  isStaged,
  type NextInput,
  type NextStep,
  nextStep,
  type Seed,
  SNAPSHOT_LEVEL,
} from './next.ts';
import {
  type OpenReplica,
  ListingProof,
  Sender,
  SentSnapshot,
  withFencing,
  type Written,
} from './sender.ts';
import { type AgedSnapshot, SnapshotAge } from './snapshot-age.ts';
import { isRefused, type SnapshotRefusal, type StepResult, UploadQueue } from './upload-queue.ts';

/** Input of an uploader: its destination, the staged files, and callbacks. */
export interface UploaderContext {
  readonly name: string;
  /** Type of the destination, such as "s3" or "file". */
  readonly type: string;
  /** For messages. Contains no secrets. */
  readonly target: string;
  readonly open: (signal: AbortSignal) => Promise<OpenReplica>;
  readonly backlog: Backlog;
  /** Reads of staged files, shared by all destinations of the database. */
  readonly reads: SharedReads;
  /** Whether the backlog is known. Before that, `admit` cannot classify a destination. */
  readonly knowsBacklog: () => boolean;
  /** Whether it is decided how replication begins. Nothing is sent before that. */
  readonly mayBegin: () => boolean;
  readonly head: () => bigint;
  readonly snapshot: () => StagedSnapshot | undefined;
  /** A staged file no longer exists. */
  readonly onGone: (path: string) => void;
  readonly record: () => SentRecord | undefined;
  readonly onImageNeeded: (need: NextStep & { kind: 'needs-snapshot' | 'needs-image' }) => void;
  /** The position, the state or the last sent file changed. */
  readonly onChange: (change: { sent?: SentRecord }) => void;
  /** Whether an image or a snapshot was requested or is being made. */
  readonly isMakingImage: () => boolean;
  /** Maximum time without progress during a drain. */
  readonly hangMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly files: FileSystem;
  readonly logger: Logger;
}

/** A drain checks its deadline at least this often. */
const DRAIN_CHECK_MS = 250;

export class Uploader {
  readonly #context: UploaderContext;
  /** Sends level 0 and the files that seed the destination. */
  readonly #files: UploadQueue;
  readonly #fileSender: Sender;
  /** Sends periodic snapshots, in parallel with level 0. */
  readonly #snapshots: UploadQueue;
  readonly #snapshotSender: Sender;
  readonly #changed = new Wakeup();
  #replica: FencedReplica | undefined;
  readonly #holdings = new Holdings();
  readonly #lister: Lister;
  readonly #health: Health;
  readonly #snapshotAge: SnapshotAge;
  /** Size and duration of the current seed. */
  #seedSent: SentSnapshot | undefined;
  /** TXID of the last snapshot that could not be sent. */
  #failedSnapshot = 0n;
  #isClosed = false;

  constructor(context: UploaderContext) {
    this.#context = context;
    this.#health = new Health(context.clock);
    this.#snapshotAge = new SnapshotAge(context.clock);
    const onBytes = (): void => this.#onBytes(this.#files);
    this.#lister = new Lister({ ...context, holdings: this.#holdings, onFile: onBytes });
    const sender = {
      ...context,
      holdings: this.#holdings,
      listingProof: new ListingProof(),
      onBytes,
      onWritten: this.#onWritten,
    };
    this.#fileSender = new Sender(sender);
    this.#snapshotSender = new Sender({
      ...sender,
      onBytes: () => this.#onBytes(this.#snapshots),
    });
    this.#files = this.#toQueue(
      (signal) => this.#stepFiles(signal),
      () => this.#lister.dueInMs,
    );
    this.#snapshots = this.#toQueue(
      (signal) => this.#stepSnapshots(signal),
      () => Infinity,
    );
  }

  start(): void {
    this.#files.start();
    this.#snapshots.start();
  }

  wake(): void {
    this.#files.wake();
    this.#snapshots.wake();
  }

  get name(): string {
    return this.#context.name;
  }

  get type(): string {
    return this.#context.type;
  }

  get target(): string {
    return this.#context.target;
  }

  get state(): DestinationState {
    return stateOf({
      isClosed: this.#isClosed,
      hasFailed: (this.#files.failure ?? this.#snapshots.failure) !== undefined,
      chain: this.#holdings.chain,
      isSeeding: this.#holdings.seeding !== undefined,
    });
  }

  /** Contents of the destination, as far as they are known. */
  get holdings(): Pick<Holdings, 'chain' | 'why' | 'highest' | 'seeding'> {
    return this.#holdings;
  }

  /** Whether it has been listed and classified, or its last try failed. A start waits for this. */
  get hasReported(): boolean {
    return this.#holdings.chain !== undefined || this.#files.failure !== undefined;
  }

  get replicatedTXID(): bigint | undefined {
    return this.#holdings.replicatedTXID;
  }

  get releasableTXID(): bigint {
    return this.#holdings.releasableTXID;
  }

  /** Whether it can go on only from a full snapshot, and none is staged or being made. */
  get needsSnapshot(): boolean {
    const { chain, seeding } = this.#holdings;
    const { isMakingImage, mayBegin } = this.#context;
    if (chain === undefined || seeding !== undefined || !mayBegin() || isMakingImage())
      return false;
    const { kind } = nextStep(this.#nextInput(chain));
    return kind === 'needs-snapshot' || kind === 'needs-image';
  }

  get newestSnapshot(): AgedSnapshot | undefined {
    const { newestSnapshot } = this.#holdings;
    return newestSnapshot === undefined ? undefined : this.#snapshotAge.of(newestSnapshot);
  }

  /** The last refusal, if the destination refuses snapshots while it accepts level 0. */
  get snapshotRefusal(): SnapshotRefusal | undefined {
    const { failure } = this.#snapshots;
    if (failure === undefined || this.#files.failure !== undefined) return undefined;
    return isRefused(this.#snapshots) ? { ...failure, txid: this.#failedSnapshot } : undefined;
  }

  /** undefined until the replica is opened. */
  get fencing(): FencingState | undefined {
    return this.#replica?.fencing.stateFor(this.#replica.capabilities);
  }

  /** Number of full listings. */
  get listings(): number {
    return this.#lister.count;
  }

  get health(): Pick<Health, 'bytesSent' | 'lastSuccessMs' | 'lastError'> {
    return this.#health;
  }

  /** Facts from which its health is derived. */
  get activity(): DestinationActivity {
    const now = this.#context.clock.monotonic();
    const past = (since: number | undefined): number => (since === undefined ? 0 : now - since);
    const failure = this.#files.failure ?? this.#snapshots.failure;
    return {
      stalledMs: past(this.#files.stalledSince),
      failingMs: past(this.#files.failingSince),
      snapshotStalledMs: past(this.#snapshots.stalledSince),
      snapshotFailingMs: past(this.#snapshots.failingSince),
      error: failure?.message,
    };
  }

  /**
   * Resolves when the destination has everything up to `txid`, or when it is given up (`shouldGiveUp`).
   * Meanwhile it is retried every `retryMs`.
   */
  async drain(txid: bigint, timeoutMs: number, retryMs: number): Promise<'complete' | 'behind'> {
    const { hangMs, isMakingImage } = this.#context;
    this.#health.tryStarted();
    this.#files.startDrain(retryMs);
    this.#snapshots.startDrain(retryMs);
    for (;;) {
      const changed = this.#changed.next(Math.min(retryMs, DRAIN_CHECK_MS));
      if ((this.replicatedTXID ?? -1n) >= txid) return 'complete';
      const now = this.#context.clock.monotonic();
      const limits = { now, timeoutMs, hangMs, isMakingImage: isMakingImage() };
      if (shouldGiveUp(this.#files, this.#health, limits)) return 'behind';
      await changed;
    }
  }

  async close(reason: unknown): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#files.close(reason), this.#snapshots.close(reason)]);
  }

  #toQueue(step: (signal: AbortSignal) => Promise<StepResult>, dueInMs: () => number): UploadQueue {
    const { clock, random } = this.#context;
    const onRecovered = this.#onRecovered;
    const queue = new UploadQueue({
      step,
      dueInMs,
      onRecovered,
      onFailure: (error, waitMs) => this.#onFailure(queue, error, waitMs),
      clock,
      random,
    });
    return queue;
  }

  // --- level 0 and seeds ----------------------------------------------------------------------

  async #stepFiles(signal: AbortSignal): Promise<StepResult> {
    this.#health.tryStarted();
    this.#replica ??= withFencing(await this.#context.open(signal));
    const replica = this.#replica;
    if (this.#lister.dueInMs === 0) {
      const result = await this.#lister.list(replica.client, signal);
      if (result === 'answered') this.#health.succeeded();
      this.#notify({});
      return result;
    }
    if (this.#fileSender.isVerifying) {
      return await this.#fileSender.verifyListed(replica.client, signal);
    }
    const { chain } = this.#holdings;
    if (!this.#context.mayBegin() || chain === undefined) return 'waiting';
    const step = this.#next(chain);
    switch (step.kind) {
      case 'idle':
      case 'waiting':
        return step.kind;
      case 'needs-snapshot':
      case 'needs-image':
        this.#context.onImageNeeded(step);
        return 'waiting';
      case 'increment': {
        const txid = step.file.txid as TXID; // parsed from the name of a staged file
        const ref = { level: 0, minTXID: txid, maxTXID: txid };
        const source = step.file;
        return await this.#fileSender.send(replica, { ref, source, need: 'required' }, signal);
      }
      case 'seed':
        return await this.#sendSeed(replica, step.seed, signal);
    }
  }

  #nextInput(chain: Chain): NextInput {
    const { backlog, snapshot, head } = this.#context;
    return { view: this.#holdings.view(chain), backlog, snapshot: snapshot(), head: head() };
  }

  #next(chain: Chain): NextStep {
    const input = this.#nextInput(chain);
    const { seeding } = input.view;
    if (seeding === undefined || isStaged(seeding, input)) return nextStep(input);
    this.#holdings.abandonSeed();
    return nextStep({ ...input, view: this.#holdings.view('half-seeded') });
  }

  async #sendSeed(replica: FencedReplica, seed: Seed, signal: AbortSignal): Promise<StepResult> {
    if (this.#holdings.seeding !== seed) this.#seedSent = new SentSnapshot(this.#context.clock);
    const write = this.#holdings.seed(seed);
    const isSkipped = write?.need === 'optional' && isRefused(this.#files);
    if (write !== undefined && !isSkipped) {
      const result = await this.#fileSender.send(replica, write, signal);
      if (result !== 'worked') return result;
      this.#seedSent?.add(write.source.sizeBytes);
      if (write.ref.level === SNAPSHOT_LEVEL) this.#snapshots.clearFailure(); // it accepts snapshots
      // Only a complete seed resets the failure count: after a failure all its files may be sent again.
      if (this.#holdings.seed(seed) !== undefined) return 'changed';
    }
    // A destination that accepts level 0 but refuses snapshots gets level 0; the refusal is reported.
    if (isSkipped) {
      this.#snapshots.copyFailure(this.#files);
      this.#failedSnapshot = seed.txid;
    }
    this.#holdings.seeded(seed);
    this.#logSent(this.#seedSent);
    this.#notify({});
    return 'worked';
  }

  // --- periodic snapshots ---------------------------------------------------------------------

  /** Sends a snapshot once the level-0 file of the same TXID is there, while level 0 continues. */
  async #stepSnapshots(signal: AbortSignal): Promise<StepResult> {
    const snapshot = this.#context.snapshot();
    const replica = this.#replica;
    if (replica === undefined || !this.#context.mayBegin()) return 'waiting';
    if (this.#snapshotSender.isVerifying) {
      return await this.#snapshotSender.verifyListed(replica.client, signal);
    }
    if (snapshot === undefined) return isRefused(this.#snapshots) ? 'waiting' : 'idle';
    if (this.#holdings.hasSnapshot(snapshot.txid)) return 'idle';
    if ((this.replicatedTXID ?? -1n) < snapshot.txid) return 'waiting';
    const maxTXID = snapshot.txid as TXID;
    const ref = { level: SNAPSHOT_LEVEL, minTXID: 1n as TXID, maxTXID };
    const write = { ref, source: snapshot, need: 'optional' } as const;
    const sent = new SentSnapshot(this.#context.clock);
    try {
      const result = await this.#snapshotSender.send(replica, write, signal);
      if (result !== 'worked') return result;
      sent.add(snapshot.sizeBytes);
      this.#logSent(sent);
      return result;
    } catch (error) {
      this.#failedSnapshot = snapshot.txid;
      throw error;
    }
  }

  // --- both -----------------------------------------------------------------------------------

  readonly #onWritten = ({ info, sent }: Written): void => {
    this.#lister.wrote();
    this.#snapshotAge.wrote(info);
    this.#health.sent(sent.sizeBytes);
    this.#notify(info.level === 0 ? { sent } : {});
  };

  #logSent(sent: SentSnapshot | undefined): void {
    if (sent === undefined) return;
    this.#context.logger.info(`${this.name}: ${sent.describe()}`, { target: this.target });
  }

  #onBytes(queue: UploadQueue): void {
    queue.moved();
    this.#health.moved();
  }

  readonly #onRecovered = (): void => {
    this.#health.succeeded();
    this.#context.logger.info(`${this.name} has recovered`, { target: this.target });
    this.#notify({});
  };

  #onFailure(queue: UploadQueue, error: unknown, waitMs: number): void {
    const { logger } = this.#context;
    const { failure, failures, failingSince } = queue;
    if (failure === undefined) return;
    const { code, message } = failure;
    this.#health.failed(failure);
    this.#lister.failed(code, failingSince);
    const fields = { target: this.target, code, failures, nextTryMs: waitMs };
    if (code === 'REPLICA_CONFLICT') {
      const highest = formatTXID(this.#holdings.highest);
      const what = 'another writer is active there, so it will be listed again';
      logger.error(`${this.name}: ${what}: ${message}`, { ...fields, highest });
    } else {
      const level = isError(error) && !error.retryable ? 'error' : 'warn';
      logger[level](`${this.name}: ${message}`, fields);
    }
    this.#files.wake(); // the failure may require a new listing
    this.#notify({});
  }

  #notify(change: { sent?: Written['sent'] }): void {
    this.#context.onChange(change);
    this.#changed.notify();
    this.#snapshots.wake();
  }
}
