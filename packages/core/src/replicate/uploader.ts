/**
 * One replica of one database: what is there, what comes next, how it goes. Destinations know
 * nothing of each other: each uploader has its own client, position, backoff and state.
 */

import { isError, messageOf, type ErrorCode } from '../error.ts';
import type { Capabilities, Logger } from '../replica/backend.ts';
import type { LTXBody, LTXFileRef, ReplicaClient } from '../replica/client.ts';
import type { TXID } from '../ltx/txid.ts';
import { formatTXID } from '../ltx/txid.ts';
import { admit, type Chain, type FoundTop, type SentRecord } from './admission.ts';
import type { Backlog, StagedIncrement, StagedSnapshot } from './backlog.ts';
import { bodyAs, readChecksum } from './bodies.ts';
import { Lane } from './lane.ts';
import { listDestination, type ListedDestination } from './listing.ts';
import {
  addToManifest,
  EMPTY_MANIFEST,
  hasFile,
  highestOf,
  SNAPSHOT_LEVEL,
  topOf,
  type Manifest,
} from './manifest.ts';
import { nextStep, type NextStep, type Seed, type SeedSource } from './next.ts';
import { transition, type DestinationEvent, type DestinationState } from './state.ts';
import { Wakeup } from './wakeup.ts';

export interface OpenReplica {
  readonly client: ReplicaClient;
  readonly capabilities: Capabilities;
}

/** What an uploader knows of the database it serves. */
export interface UploaderContext {
  readonly name: string;
  /** For messages; holds no secret. */
  readonly target: string;
  readonly open: (signal: AbortSignal) => Promise<OpenReplica>;
  readonly backlog: Backlog;
  /** Whether the backlog is known: before that it cannot be said whose a destination is. */
  readonly knowsBacklog: () => boolean;
  /** Nothing is sent before this says so: how the history goes on must be known first. */
  readonly mayBegin: () => boolean;
  readonly head: () => bigint;
  readonly snapshot: () => StagedSnapshot | undefined;
  readonly record: () => SentRecord | undefined;
  readonly onNeed: (need: NextStep & { kind: 'needs-snapshot' | 'needs-image' }) => void;
  /** Something changed that others may look at: position, state, what is recorded as sent. */
  readonly onChange: (change: { sent?: SentRecord }) => void;
  readonly now: () => number;
  readonly random: () => number;
  readonly logger: Logger;
}

export interface LastError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly atMs: number;
}

export class Uploader {
  readonly #context: UploaderContext;
  readonly #files: Lane;
  readonly #snapshots: Lane;
  readonly #changed = new Wakeup();
  #replica: OpenReplica | undefined;
  #state: DestinationState = 'listing';
  #manifest: Manifest = EMPTY_MANIFEST;
  #chain: Chain | undefined;
  /** What was listed, until it is decided whose it is. */
  #listed: ListedDestination | undefined;
  #pageSize = 0;
  #seeding: Seed | undefined;
  #bytesSent = 0;
  #lastSuccessMs: number | undefined;
  #lastError: LastError | undefined;
  #progressedAt: number;
  #listedOrFailed = false;

  constructor(context: UploaderContext) {
    this.#context = context;
    this.#progressedAt = context.now();
    const lane = (step: (signal: AbortSignal) => Promise<'worked' | 'idle'>): Lane =>
      new Lane({
        step,
        onSuccess: this.#succeed,
        onFailure: this.#fail,
        random: context.random,
      });
    this.#files = lane((signal) => this.#step(signal));
    this.#snapshots = lane((signal) => this.#stepSnapshot(signal));
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
    return this.#state;
  }

  /** undefined until it has been listed. */
  get chain(): Chain | undefined {
    return this.#chain;
  }

  /** Whether its first listing has come, or has failed once: then nobody waits for it. */
  get isHeardOf(): boolean {
    return this.#listedOrFailed;
  }

  /** The highest TXID there, of any level; 0n before it is listed. */
  get highest(): bigint {
    return highestOf(this.#manifest);
  }

  /** Everything up to this TXID can be restored from here; undefined while nothing of ours can. */
  get replicatedTXID(): bigint | undefined {
    return this.#chain === 'ours' && this.#seeding === undefined ? this.highest : undefined;
  }

  /** Staged files up to this TXID are not wanted here any more. */
  get releasableTXID(): bigint {
    if (this.#seeding !== undefined) return this.#seeding.txid - 1n;
    return this.#chain === 'ours' ? this.highest : 0n;
  }

  /** Newest snapshot here: its TXID and when it was written; undefined where there is none. */
  get newestSnapshot(): { txid: bigint; modifiedAtMs: number } | undefined {
    const top = this.#manifest.get(SNAPSHOT_LEVEL);
    return top === undefined ? undefined : { txid: top.maxTXID, modifiedAtMs: top.modifiedAtMs };
  }

  get figures(): {
    bytesSent: number;
    lastSuccessMs: number | undefined;
    lastError: LastError | undefined;
  } {
    return {
      bytesSent: this.#bytesSent,
      lastSuccessMs: this.#lastSuccessMs,
      lastError: this.#lastError,
    };
  }

  /**
   * Resolves when everything up to `txid` is there, or when nothing has moved for `timeoutMs`.
   * Tries follow each other by `retryMs` meanwhile.
   */
  async drain(txid: bigint, timeoutMs: number, retryMs: number): Promise<'complete' | 'behind'> {
    this.#progressedAt = this.#context.now();
    this.#files.hurry(retryMs);
    this.#snapshots.hurry(retryMs);
    for (;;) {
      const changed = this.#changed.next(Math.min(retryMs, DRAIN_LOOK_MS));
      if ((this.replicatedTXID ?? -1n) >= txid) return 'complete';
      if (this.#context.now() - this.#progressedAt >= timeoutMs) return 'behind';
      await changed;
    }
  }

  async close(reason: unknown): Promise<void> {
    this.#go('close');
    await Promise.all([this.#files.close(reason), this.#snapshots.close(reason)]);
  }

  // --- the lane of files ----------------------------------------------------------------------

  async #step(signal: AbortSignal): Promise<'worked' | 'idle'> {
    const replica = await this.#open(signal);
    if (this.#chain === undefined) return await this.#admit(replica.client, signal);
    if (!this.#context.mayBegin()) return 'idle';
    const step = this.#next(this.#chain);
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
    return nextStep({
      view: {
        manifest: this.#manifest,
        chain,
        pageSize: this.#pageSize,
        seeding: this.#seeding,
      },
      backlog,
      snapshot: snapshot(),
      head: head(),
    });
  }

  async #open(signal: AbortSignal): Promise<OpenReplica> {
    this.#replica ??= await this.#context.open(signal);
    return this.#replica;
  }

  /** Lists it, and decides whose it is once it is known what is staged. */
  async #admit(client: ReplicaClient, signal: AbortSignal): Promise<'worked' | 'idle'> {
    this.#listed ??= await listDestination(client, signal);
    if (!this.#context.knowsBacklog()) return 'idle';
    const { manifest, top, pageSize } = this.#listed;
    const staged = await this.#stagedRecord(top);
    this.#listed = undefined;
    this.#manifest = manifest;
    this.#pageSize = pageSize;
    const record = this.#context.record();
    this.#chain = admit({ manifest, top, record, staged });
    if (this.#chain === 'empty' && record !== undefined) {
      this.#context.logger.warn(
        `${this.name} is empty, and was not when it was written to last: it is seeded anew; ` +
          'if a disk is not mounted or a bucket was replaced, stop and mend that first',
        { target: this.target, sent: formatTXID(record.txid) },
      );
    }
    this.#listedOrFailed = true;
    this.#go('listed');
    this.#tell({});
    return 'worked';
  }

  async #stagedRecord(top: FoundTop | undefined): Promise<SentRecord | undefined> {
    const file = this.#context.backlog.files.find((staged) => staged.txid === top?.txid);
    if (file === undefined) return undefined;
    const checksum = await readChecksum(file.path);
    return { txid: file.txid, sizeBytes: file.sizeBytes, checksum };
  }

  async #sendIncrement(
    replica: OpenReplica,
    file: StagedIncrement,
    signal: AbortSignal,
  ): Promise<void> {
    const txid = file.txid as TXID; // of a staged file: parsed from its name
    const ref = { level: 0, minTXID: txid, maxTXID: txid };
    await this.#send(replica, ref, file, signal);
    if (file.pageSize !== 0) this.#pageSize = file.pageSize;
  }

  async #sendSeed(replica: OpenReplica, seed: Seed, signal: AbortSignal): Promise<void> {
    if (this.#seeding !== seed) this.#go('seed-begun');
    this.#seeding = seed;
    const write = seed.writes.find(({ ref }) => !hasFile(this.#manifest, ref));
    if (write !== undefined) await this.#send(replica, write.ref, write.source, signal);
    if (seed.writes.some(({ ref }) => !hasFile(this.#manifest, ref))) return;
    this.#seeding = undefined;
    this.#chain = 'ours';
    this.#pageSize = seed.pageSize;
    this.#go('seed-done');
    this.#tell({});
  }

  // --- the lane of snapshots ------------------------------------------------------------------

  /** A snapshot is sent after the L0 of its own TXID, while level 0 goes on. */
  async #stepSnapshot(signal: AbortSignal): Promise<'worked' | 'idle'> {
    const snapshot = this.#context.snapshot();
    if (snapshot === undefined || this.#replica === undefined) return 'idle';
    if (!this.#context.mayBegin() || (this.replicatedTXID ?? -1n) < snapshot.txid) return 'idle';
    if (topOf(this.#manifest, SNAPSHOT_LEVEL) >= snapshot.txid) return 'idle';
    const maxTXID = snapshot.txid as TXID;
    const ref = { level: SNAPSHOT_LEVEL, minTXID: 1n as TXID, maxTXID };
    await this.#send(this.#replica, ref, snapshot, signal);
    return 'worked';
  }

  // --- both -----------------------------------------------------------------------------------

  async #send(
    replica: OpenReplica,
    ref: LTXFileRef,
    source: SeedSource,
    signal: AbortSignal,
  ): Promise<void> {
    const { body, checksum } = await bodyAs(ref, source, this.#progress);
    const condition = ref.level === 0 && mayBeConditional(replica, body) ? 'if-absent' : 'none';
    const info = await replica.client.writeFile(ref, body, { condition, signal });
    this.#manifest = addToManifest(this.#manifest, info);
    this.#bytesSent += body.sizeBytes;
    const { maxTXID: txid } = ref;
    const sent: SentRecord = { txid, sizeBytes: body.sizeBytes, checksum };
    this.#succeed();
    this.#tell(ref.level === 0 ? { sent } : {});
  }

  readonly #progress = (): void => {
    this.#progressedAt = this.#context.now();
  };

  readonly #succeed = (): void => {
    this.#progressedAt = this.#context.now();
    this.#lastSuccessMs = this.#context.now();
    if (this.#state !== 'failing') return;
    this.#context.logger.info(`${this.name} answers again`, { target: this.target });
    this.#go('healed');
    this.#tell({});
  };

  readonly #fail = (error: unknown, failures: number, waitMs: number): void => {
    const { logger, now } = this.#context;
    const code = isError(error) ? error.code : 'REPLICA_UNKNOWN';
    this.#lastError = { code, message: messageOf(error), atMs: now() };
    this.#listedOrFailed = true;
    const fields = { target: this.target, code, failures, nextTryMs: waitMs };
    if (code === 'REPLICA_CONFLICT') {
      const message = `${this.name}: another writer is at work there; an image will be sent above it`;
      logger.error(message, { ...fields, highest: formatTXID(this.highest) });
      this.#chain = undefined;
      this.#seeding = undefined;
      this.#go('foreign');
    } else {
      const isFinal = isError(error) && !error.retryable;
      const message = `${this.name}: ${messageOf(error)}`;
      if (isFinal) logger.error(message, fields);
      else logger.warn(message, fields);
      this.#go('failed');
    }
    this.#tell({});
  };

  #go(event: DestinationEvent): void {
    this.#state = transition(this.#state, event);
  }

  #tell(change: { sent?: SentRecord }): void {
    this.#context.onChange(change);
    this.#changed.notify();
    this.#snapshots.wake();
  }
}

/** A drain looks at its deadline at least so often. */
const DRAIN_LOOK_MS = 250;

function mayBeConditional(replica: OpenReplica, body: LTXBody): boolean {
  const { ifAbsent } = replica.capabilities;
  if (ifAbsent === undefined) return false;
  return ifAbsent === 'any-size' || body.sizeBytes <= ifAbsent.sizeMax;
}
