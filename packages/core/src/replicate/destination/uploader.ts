/**
 * Keeps one replica of one database up to date. Destinations are independent: each uploader has its
 * own client, position, backoff and state.
 */

import { LEVEL_SNAPSHOT } from '../../history/levels.ts';
import { formatTXID } from '../../ltx/txid.ts';
import type { FencedReplica, FencingState } from '../../replica/fencing.ts';
import type { StagedSnapshot } from '../backlog.ts';
import type { StagedMerge } from '../levels/merge-files.ts';
import { Deleter } from '../retention/deleter.ts';
import { logFailure } from '../logging.ts';
import { Wakeup } from '../waits.ts';
import { type Chain, type DestinationState, stateOf } from './admission.ts';
import { Connection } from './connection.ts';
import { activityOf, drained, type Drain } from './drain.ts';
import { type DestinationActivity, Health, isOfOther } from './health.ts';
import { Holdings } from './holdings.ts';
import { guarded, LeaseRenewal } from './lease-renewal.ts';
import { Lister } from './lister.ts';
import { CatchUp } from './queues/catch-up.ts';
import { LevelUploads, toLevelZero, toWrite } from './queues/level-uploads.ts';
import { SnapshotUploads } from './queues/snapshot-uploads.ts';
import { catchUp, isStaged, type NextInput, type NextStep, nextStep, type Seed } from './next.ts';
import { Pace } from './queues/pace.ts';
import { ListingProof, Sender, SentSnapshot, type Written } from './sender.ts';
import type { UploaderContext } from './uploader-context.ts';
import { type AgedSnapshot, SnapshotAge } from '../levels/snapshot-age.ts';
import { isRefused, type StepResult, type UploadFailure, UploadQueue } from './upload-queue.ts';

type Step = (signal: AbortSignal) => Promise<StepResult>;

export class Uploader {
  readonly #context: UploaderContext;
  /** Sends level 0 and the files that seed the destination. */
  readonly #files: UploadQueue;
  readonly #fileSender: Sender;
  readonly #snapshots: SnapshotUploads;
  readonly #levels: LevelUploads;
  readonly #deleter: Deleter;
  readonly #changed = new Wakeup();
  readonly #connection: Connection;
  readonly #holdings = new Holdings();
  readonly #lister: Lister;
  readonly #health: Health;
  readonly #pace: Pace;
  readonly #catchUp: CatchUp;
  readonly #snapshotAge: SnapshotAge;
  readonly #lease: LeaseRenewal;
  /** Size and duration of the current seed. */
  #seedSent: SentSnapshot | undefined;
  #isClosed = false;

  constructor(context: UploaderContext) {
    this.#context = context;
    this.#health = new Health(context.clock);
    this.#pace = new Pace(context);
    this.#catchUp = new CatchUp(context);
    this.#snapshotAge = new SnapshotAge(context.clock);
    const onBytes = (): void => this.#onBytes(this.#files);
    this.#lister = new Lister({ ...context, holdings: this.#holdings, onFile: onBytes });
    this.#connection = new Connection({
      open: async (signal) => guarded(await context.open(signal), context.ownership),
      onBroken: () => {
        this.#lister.demand(); // which shows whether the next client works
        this.#files.wake();
      },
    });
    const owned = { ...context, holdings: this.#holdings, connection: this.#connection };
    this.#lease = new LeaseRenewal({ ...owned, parts: () => this.#parts });
    const shared = { holdings: this.#holdings, listingProof: new ListingProof() };
    const sender = { ...context, ...shared, onWritten: this.#onWritten };
    this.#fileSender = new Sender({
      ...sender,
      onBytes,
      onWritten: (written) => {
        this.#seedSent?.add(written.uploadedBytes);
        if (written.info.level === 0) for (const other of this.#queuesBeside) other.otherWrote();
        this.#onWritten(written);
      },
    });
    this.#files = this.#toQueue(
      (signal) => this.#stepFiles(signal),
      () => Math.min(this.#lister.dueInMs, this.#pace.dueInMs, this.#catchUp.dueInMs),
    );
    const beside = {
      toQueue: (step: Step) => this.#toQueue(step, () => Infinity),
      replica: () => this.#connection.replica,
      input: () => this.#inputIfKnown,
    };
    this.#snapshots = new SnapshotUploads({
      ...beside,
      sender: { ...sender, onBytes: () => this.#onBytes(this.#snapshots.queue) },
      newest: () => this.newestSnapshot,
      onSent: (sent) => this.#logSent(sent),
    });
    this.#levels = new LevelUploads({
      ...beside,
      sender: { ...sender, onBytes: () => this.#onBytes(this.#levels.queue) },
      staged: () => context.merged.staged,
    });
    this.#deleter = new Deleter({
      ...context,
      holdings: this.#holdings,
      client: () => this.#connection.replica?.client,
      isQuiet: () => this.state === 'streaming' && this.#lease.isHeld,
      onMissing: () => this.#files.wake(),
    });
  }

  start(): void {
    for (const part of [...this.#parts, this.#lease]) part.start();
  }

  wake(): void {
    for (const part of [...this.#parts, this.#lease]) part.wake();
  }

  /** Lists the destination now, also during a pause after a failure. */
  retryNow(): void {
    this.#lister.demand();
    this.#files.retryNow();
  }

  get #parts(): readonly (UploadQueue | Deleter)[] {
    return [this.#files, ...this.#queuesBeside, this.#deleter];
  }

  get #queuesBeside(): readonly UploadQueue[] {
    return [this.#snapshots.queue, this.#levels.queue];
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
      hasFailed: (this.#files.failure ?? this.#snapshots.queue.failure) !== undefined,
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

  /** Level-0 files up to this TXID are no longer needed here, also because merged files stand for them. */
  get releasableTXID(): bigint {
    const input = this.#inputIfKnown;
    return (input && catchUp(input))?.reached ?? this.#holdings.releasableTXID;
  }

  /** Which of the staged merged files it needs. */
  neededMerges(staged: readonly StagedMerge[]): readonly StagedMerge[] {
    return this.#levels.needed(staged);
  }

  /** The highest TXID of a level; undefined if it is not known, or not ours. */
  topOf(level: number): bigint | undefined {
    return this.#holdings.topOf(level);
  }

  /** The last failure to send a merged file, until one is sent. */
  get levelFailure(): UploadFailure | undefined {
    return this.#levels.queue.failure;
  }

  /** Whether it can go on only from a full snapshot, and none is staged or being made. */
  get needsSnapshot(): boolean {
    const input = this.#inputIfKnown;
    if (input === undefined || input.view.seeding !== undefined) return false;
    if (this.#context.isMakingImage()) return false;
    const { kind } = nextStep(input);
    return kind === 'needs-snapshot' || kind === 'needs-image';
  }

  get newestSnapshot(): AgedSnapshot | undefined {
    const { newestSnapshot } = this.#holdings;
    return newestSnapshot === undefined ? undefined : this.#snapshotAge.of(newestSnapshot);
  }

  /** Time between full snapshots. */
  get snapshotIntervalMs(): number {
    return this.#context.snapshotIntervalMs;
  }

  /** Whether it will get this staged snapshot, or a level of it needs it, and that is not done yet. */
  lacksSnapshot(snapshot: StagedSnapshot): boolean {
    return this.#snapshots.lacks(snapshot);
  }

  /** The last refusal, if the destination refuses snapshots while it accepts level 0. */
  get snapshotRefusal(): SnapshotUploads['refusal'] {
    return this.#files.failure === undefined ? this.#snapshots.refusal : undefined;
  }

  /** undefined until the replica is opened. */
  get fencing(): FencingState | undefined {
    return this.#connection.fencing;
  }

  get deleter(): Pick<Deleter, 'contents' | 'enforceNow'> {
    return this.#deleter;
  }

  /** Number of full listings. */
  get listings(): number {
    return this.#lister.count;
  }

  get health(): Pick<Health, 'bytesSent' | 'lastSuccessMs' | 'lastError' | 'errors'> {
    return this.#health;
  }

  /** Facts from which its health is derived. */
  get activity(): DestinationActivity {
    const queues = { files: this.#files, snapshots: this.#snapshots.queue };
    return { ...activityOf(queues, this.#context.clock), damage: this.#context.damage?.() };
  }

  /**
   * Resolves when the destination has everything up to `txid`, when it belongs to another replicator, or
   * when it is given up (`shouldGiveUp`). Meanwhile it is retried every `retryMs`. With 'wait', a lease of another
   * replicator has time to end.
   */
  async drain(
    txid: bigint,
    timeoutMs: number,
    retryMs: number,
    leases: Drain['leases'] = 'give up',
  ): Promise<'complete' | 'behind'> {
    this.#pace.stop();
    for (const queue of [this.#files, this.#snapshots.queue]) queue.startDrain(retryMs);
    const parts = { files: this.#files, health: this.#health, lease: this.#lease };
    const drain = { txid, timeoutMs, retryMs, leases, ...parts, changed: this.#changed };
    return await drained(this, { ...this.#context, ...drain });
  }

  async close(reason: unknown): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#parts.map((part) => part.close(reason)));
    await this.#lease.close(reason);
  }

  #toQueue(step: Step, dueInMs: () => number): UploadQueue {
    const { clock, random } = this.#context; // no more: there are thousands of queues
    const queue = new UploadQueue({
      ...{ clock, random, step, dueInMs },
      onRecovered: (last) => this.#onRecovered(queue, last),
      onFailure: (error, waitMs) => this.#onFailure(queue, error, waitMs),
      pauseMs: () => this.#lease.pauseMs,
    });
    return queue;
  }

  // --- level 0 and seeds ----------------------------------------------------------------------

  async #stepFiles(signal: AbortSignal): Promise<StepResult> {
    this.#health.tryStarted();
    const replica = await this.#connection.open(signal);
    if (this.#lister.dueInMs === 0) {
      const result = await this.#lister.list(replica, signal);
      if (result === 'answered') this.#health.succeeded();
      this.#notify({});
      return result;
    }
    if (this.#fileSender.isVerifying) {
      return await this.#fileSender.verifyListed(replica.client, signal);
    }
    const { chain } = this.#holdings;
    if (!this.#context.mayBegin() || chain === undefined) return 'waiting';
    await this.#lease.require(signal);
    const step = this.#next(chain);
    const input = this.#nextInput(chain);
    if (this.#pace.defers(step, input)) return 'idle';
    if (!this.#pace.isOn && this.#catchUp.holds(step, input, this.#files)) return 'waiting';
    switch (step.kind) {
      case 'idle':
      case 'waiting':
        return step.kind;
      case 'needs-snapshot':
      case 'needs-image':
        this.#context.onImageNeeded(step);
        return 'waiting';
      case 'increment':
        return await this.#fileSender.send(replica, toLevelZero(step.file), signal);
      case 'merge': {
        if (isRefused(this.#files)) {
          this.#levels.queue.copyFailure(this.#files); // it continues without merged files
          return 'changed';
        }
        const write = { ...toWrite(step.file), need: 'required' } as const;
        return await this.#fileSender.send(replica, write, signal);
      }
      case 'seed':
        return await this.#sendSeed(replica, step.seed, signal);
    }
  }

  #nextInput(chain: Chain): NextInput {
    return {
      view: this.#holdings.view(chain),
      backlog: this.#context.backlog,
      snapshot: this.#context.snapshot(),
      merges: this.#levels.isRefused ? [] : this.#context.merged.staged,
      head: this.#context.head(),
      prefers: this.#pace.isOn || this.#catchUp.isOn ? 'merged files' : undefined,
    };
  }

  /** undefined while the contents are not known, or nothing may be sent. */
  get #inputIfKnown(): NextInput | undefined {
    const { chain } = this.#holdings;
    const isKnown = chain !== undefined && this.#context.mayBegin() && this.#lease.isHeld;
    return isKnown ? this.#nextInput(chain) : undefined;
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
      if (this.#holdings.seeding !== seed) return 'changed'; // it must be listed again
      if (write.ref.level === LEVEL_SNAPSHOT) this.#snapshots.queue.clearFailure(); // it accepts snapshots
      // Only a complete seed resets the failure count: after a failure all its files may be sent again.
      if (this.#holdings.seed(seed) !== undefined) return 'changed';
    }
    // A destination that accepts level 0 but refuses snapshots gets level 0; the refusal is reported.
    if (isSkipped) this.#snapshots.copyRefusal(this.#files, seed.txid);
    this.#holdings.seeded(seed);
    this.#logSent(this.#seedSent);
    this.#seedSent = undefined;
    this.#notify({});
    return 'worked';
  }

  // --- all queues -----------------------------------------------------------------------------

  readonly #onWritten = ({ info, sent, uploadedBytes }: Written): void => {
    this.#lister.wrote();
    this.#snapshotAge.wrote(info);
    this.#deleter.wrote(info);
    this.#health.sent(uploadedBytes);
    this.#notify(this.#holdings.toChange(info, sent));
  };

  #logSent(sent: SentSnapshot | undefined): void {
    if (sent === undefined) return;
    this.#context.logger.info(`${this.name}: ${sent.describe()}`, { target: this.target });
  }

  #onBytes(queue: UploadQueue): void {
    queue.moved();
    this.#health.moved();
  }

  #onRecovered(queue: UploadQueue, last: UploadFailure): void {
    if (queue === this.#files) for (const other of this.#queuesBeside) other.outageEnded(last);
    this.#health.succeeded();
    this.#context.logger.info(`${this.name} has recovered`, { target: this.target });
    this.#notify({});
  }

  #onFailure(queue: UploadQueue, error: unknown, waitMs: number): void {
    const { failure, failures, failingSince } = queue;
    if (failure === undefined) return;
    this.#health.failed(failure);
    this.#lister.failed(failure.code, failingSince);
    if (queue === this.#files) this.#connection.failed(error);
    if (isOfOther(failure)) for (const other of this.#queuesBeside) other.interrupt(error);
    const highest = formatTXID(this.#holdings.highest);
    // A replicator that waits for a lease has logged why.
    if (!this.#lease.isWaiting || !isOfOther(failure))
      logFailure(this.#context, failure, { failures, nextTryMs: waitMs, highest });
    this.#files.wake(); // the failure may require a new listing
    this.#notify({});
  }

  #notify(change: { sent?: Written['sent'] }): void {
    this.#context.onChange(change);
    this.#changed.notify();
    for (const part of [...this.#queuesBeside, this.#lease]) part.wake();
  }
}
