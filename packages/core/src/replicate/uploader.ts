/**
 * One replica of one database: what is there, what comes next, how it goes. Destinations know
 * nothing of each other: each uploader has its own client, position, backoff and state.
 */

import { isError } from '../error.ts';
import type { FencedReplica, FencingState } from '../replica/check-fencing.ts';
import type { LTXFileRef, ReplicaClient } from '../replica/client.ts';
import { formatTXID, type TXID } from '../ltx/txid.ts';
import { admit, type Chain, type SentRecord } from './admission.ts';
import type { StagedIncrement } from './backlog.ts';
import { recordOf } from './bodies.ts';
import { Health } from './health.ts';
import { Holdings } from './holdings.ts';
import { Lane } from './lane.ts';
import { listDestination, type ListedDestination } from './listing.ts';
import { SNAPSHOT_LEVEL } from './manifest.ts';
import { isStaged, nextStep, type NextStep, type Seed, type SeedSource } from './next.ts';
import { SnapshotAge, type AgedSnapshot } from './snapshot-age.ts';
import { sendFile, withFencing } from './sending.ts';
import type { DestinationState } from './state.ts';
import type { UploaderContext } from './uploader-context.ts';
import { Wakeup } from './wakeup.ts';

/** A drain looks at its deadline at least so often. */
const DRAIN_LOOK_MS = 250;

export class Uploader {
  readonly #context: UploaderContext;
  readonly #files: Lane;
  readonly #snapshots: Lane;
  readonly #changed = new Wakeup();
  #replica: FencedReplica | undefined;
  readonly #holdings = new Holdings();
  /** What was listed, until it is decided whose it is. */
  #listed: ListedDestination | undefined;
  readonly #health: Health;
  readonly #snapshotAge: SnapshotAge;
  /** Steps that are under way: asking or sending, not waiting. */
  #trying = 0;
  #listedOrFailed = false;

  constructor(context: UploaderContext) {
    this.#context = context;
    this.#health = new Health(context.clock);
    this.#snapshotAge = new SnapshotAge(context.clock);
    const lane = (step: (signal: AbortSignal) => Promise<'worked' | 'idle'>): Lane =>
      new Lane({
        step,
        onSuccess: this.#succeed,
        onFailure: this.#fail,
        random: context.random,
      });
    this.#files = lane((signal) => this.#try(() => this.#step(signal)));
    this.#snapshots = lane((signal) => this.#try(() => this.#stepSnapshot(signal)));
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

  get target(): string {
    return this.#context.target;
  }

  get state(): DestinationState {
    return this.#health.state;
  }

  /** undefined until it has been listed. */
  get chain(): Chain | undefined {
    return this.#holdings.chain;
  }

  /** Whether its first listing has come, or has failed once: then nobody waits for it. */
  get isHeardOf(): boolean {
    return this.#listedOrFailed;
  }

  get isSeeding(): boolean {
    return this.#holdings.seeding !== undefined;
  }

  get highest(): bigint {
    return this.#holdings.highest;
  }

  get replicatedTXID(): bigint | undefined {
    return this.#holdings.replicatedTXID;
  }

  get releasableTXID(): bigint {
    return this.#holdings.releasableTXID;
  }

  get newestSnapshot(): AgedSnapshot | undefined {
    const { newestSnapshot } = this.#holdings;
    return newestSnapshot === undefined ? undefined : this.#snapshotAge.of(newestSnapshot);
  }

  /** undefined until it has been opened. */
  get fencing(): FencingState | undefined {
    return this.#replica?.fencing.stateFor(this.#replica.capabilities);
  }

  get health(): Pick<Health, 'bytesSent' | 'lastSuccessMs' | 'lastError'> {
    return this.#health;
  }

  /**
   * Resolves when everything up to `txid` is there, or when nothing has succeeded for `timeoutMs`
   * since its first failure. Tries follow each other by `retryMs` meanwhile.
   */
  async drain(txid: bigint, timeoutMs: number, retryMs: number): Promise<'complete' | 'behind'> {
    this.#health.patienceBegins();
    this.#files.hurry(retryMs);
    this.#snapshots.hurry(retryMs);
    for (;;) {
      const changed = this.#changed.next(Math.min(retryMs, DRAIN_LOOK_MS));
      if ((this.replicatedTXID ?? -1n) >= txid) return 'complete';
      const doing = this.#trying > 0 ? 'trying' : 'waiting';
      if (this.#health.isHopeless(timeoutMs, doing)) return 'behind';
      await changed;
    }
  }

  async close(reason: unknown): Promise<void> {
    this.#health.go('close');
    await Promise.all([this.#files.close(reason), this.#snapshots.close(reason)]);
  }

  async #try<Result>(step: () => Promise<Result>): Promise<Result> {
    this.#health.progressed();
    this.#trying += 1;
    try {
      return await step();
    } finally {
      this.#trying -= 1;
    }
  }

  // --- the lane of files ----------------------------------------------------------------------

  async #step(signal: AbortSignal): Promise<'worked' | 'idle'> {
    const replica = await this.#open(signal);
    if (this.chain === undefined) return await this.#admit(replica.client, signal);
    if (!this.#context.mayBegin()) return 'idle';
    const step = this.#next(this.chain);
    switch (step.kind) {
      case 'idle':
        return 'idle';
      case 'needs-snapshot':
      case 'needs-image':
        this.#context.onNeed(step);
        return 'idle';
      case 'increment':
        await this.#sendIncrement(replica, step.file, signal);
        return 'worked';
      case 'seed':
        await this.#sendSeed(replica, step.seed, signal);
        return 'worked';
    }
  }

  #next(chain: Chain): NextStep {
    const { backlog, snapshot, head } = this.#context;
    const input = { view: this.#holdings.view(chain), backlog, snapshot: snapshot(), head: head() };
    const { seeding } = input.view;
    if (seeding === undefined || isStaged(seeding, input)) return nextStep(input);
    this.#holdings.seedIsLost();
    return nextStep({ ...input, view: this.#holdings.view('half-seeded') });
  }

  async #open(signal: AbortSignal): Promise<FencedReplica> {
    this.#replica ??= withFencing(await this.#context.open(signal));
    return this.#replica;
  }

  /** Lists it, and decides whose it is once it is known what is staged. */
  async #admit(client: ReplicaClient, signal: AbortSignal): Promise<'worked' | 'idle'> {
    this.#listed ??= await listDestination(client, signal);
    if (!this.#context.knowsBacklog()) return 'idle';
    const { manifest, top, pageSize } = this.#listed;
    const same = this.#context.backlog.files.find(({ txid }) => txid === top?.txid);
    const staged = same === undefined ? undefined : await recordOf(same);
    this.#listed = undefined;
    const record = this.#context.record();
    this.#holdings.listed(manifest, pageSize, admit({ manifest, top, record, staged }));
    if (this.chain === 'empty' && record !== undefined) {
      this.#context.logger.warn(
        `${this.name} is empty, and was not when it was written to last: it is seeded anew; ` +
          'if a disk is not mounted or a bucket was replaced, stop and mend that first',
        { target: this.target, sent: formatTXID(record.txid) },
      );
    }
    this.#listedOrFailed = true;
    this.#health.go('listed');
    this.#tell({});
    return 'worked';
  }

  async #sendIncrement(
    replica: FencedReplica,
    file: StagedIncrement,
    signal: AbortSignal,
  ): Promise<void> {
    const txid = file.txid as TXID; // of a staged file: parsed from its name
    const ref = { level: 0, minTXID: txid, maxTXID: txid };
    await this.#send(replica, ref, file, signal);
    this.#holdings.pageSizeIs(file.pageSize);
  }

  async #sendSeed(replica: FencedReplica, seed: Seed, signal: AbortSignal): Promise<void> {
    if (this.#holdings.seeding !== seed) this.#health.go('seed-begun');
    const write = this.#holdings.seed(seed);
    if (write !== undefined) await this.#send(replica, write.ref, write.source, signal);
    if (this.#holdings.seed(seed) !== undefined) return;
    this.#holdings.seeded(seed);
    this.#health.go('seed-done');
    this.#tell({});
  }

  // --- the lane of snapshots ------------------------------------------------------------------

  /** A snapshot is sent after the L0 of its own TXID, while level 0 goes on. */
  async #stepSnapshot(signal: AbortSignal): Promise<'worked' | 'idle'> {
    const snapshot = this.#context.snapshot();
    if (snapshot === undefined || this.#replica === undefined) return 'idle';
    if (!this.#context.mayBegin() || (this.replicatedTXID ?? -1n) < snapshot.txid) return 'idle';
    if (this.#holdings.hasSnapshot(snapshot.txid)) return 'idle';
    const maxTXID = snapshot.txid as TXID;
    const ref = { level: SNAPSHOT_LEVEL, minTXID: 1n as TXID, maxTXID };
    await this.#send(this.#replica, ref, snapshot, signal);
    return 'worked';
  }

  // --- both -----------------------------------------------------------------------------------

  async #send(
    replica: FencedReplica,
    ref: LTXFileRef,
    source: SeedSource,
    signal: AbortSignal,
  ): Promise<void> {
    const onBytes = (): void => this.#health.progressed();
    const { logger, onGone } = this.#context;
    const onFound = (level: 'warn' | 'debug', message: string): void =>
      logger[level](`${this.name}: ${message}`, { target: this.target });
    const result = await sendFile(replica, { ref, source, onBytes, onFound, signal });
    if (result === 'gone') {
      logger.warn(`${this.name}: ${source.path} was freed before it was sent`);
      onGone(source.path);
      return;
    }
    const { info, sent } = result;
    this.#holdings.wrote(info);
    this.#snapshotAge.wrote(info);
    this.#health.sent(sent.sizeBytes);
    this.#succeed();
    this.#tell(ref.level === 0 ? { sent } : {});
  }

  readonly #succeed = (): void => {
    this.#health.succeeded();
    if (this.state !== 'failing') return;
    this.#context.logger.info(`${this.name} answers again`, { target: this.target });
    this.#health.go('healed');
    this.#tell({});
  };

  readonly #fail = (error: unknown, failures: number, waitMs: number): void => {
    const { logger } = this.#context;
    const { code, message } = this.#health.failed(error);
    this.#listedOrFailed = true;
    const fields = { target: this.target, code, failures, nextTryMs: waitMs };
    if (code === 'REPLICA_CONFLICT') {
      logger.error(
        `${this.name}: another writer is at work there; an image will be sent above it`,
        { ...fields, highest: formatTXID(this.highest) },
      );
      this.#holdings.unknown();
      this.#health.go('foreign');
    } else {
      const level = isError(error) && !error.retryable ? 'error' : 'warn';
      logger[level](`${this.name}: ${message}`, fields);
      this.#health.go('failed');
    }
    this.#tell({});
  };

  #tell(change: { sent?: SentRecord }): void {
    this.#context.onChange(change);
    this.#changed.notify();
    this.#snapshots.wake();
  }
}
