/** Sends periodic snapshots to one destination, in parallel with level 0. */

import { LEVEL_SNAPSHOT } from '../../../history/levels.ts';
import type { TXID } from '../../../ltx/txid.ts';
import type { FencedReplica } from '../../../replica/fencing.ts';
import { unlessAborted } from '../../../store/abort.ts';
import type { Clock } from '../../../clock.ts';
import type { AgedSnapshot } from '../../levels/snapshot-age.ts';
import { isInScope } from '../../levels/snapshot-time.ts';
import { nextRepair } from './level-uploads.ts';
import { type NextInput, nextStep, type SeedWrite } from '../next.ts';
import { Sender, type SenderContext, SentSnapshot } from '../sender.ts';
import { isRefused, type SnapshotRefusal, type StepResult, UploadQueue } from '../upload-queue.ts';

type StagedSnapshot = NonNullable<NextInput['snapshot']>;

export interface SnapshotUploadsContext {
  readonly toQueue: (step: (signal: AbortSignal) => Promise<StepResult>) => UploadQueue;
  readonly sender: SenderContext & { readonly clock: Clock; readonly snapshotIntervalMs: number };
  /** undefined until it is opened. */
  readonly replica: () => FencedReplica | undefined;
  /** undefined while the contents of the destination are not known. */
  readonly input: () => NextInput | undefined;
  /** Its newest snapshot; undefined if it has none. */
  readonly newest: () => AgedSnapshot | undefined;
  readonly onSent: (sent: SentSnapshot) => void;
}

export class SnapshotUploads {
  readonly queue: UploadQueue;
  readonly #context: SnapshotUploadsContext;
  readonly #sender: Sender;
  /** TXID of the last snapshot that could not be sent. */
  #failed = 0n;

  constructor(context: SnapshotUploadsContext) {
    this.#context = context;
    this.#sender = new Sender(context.sender);
    this.queue = context.toQueue((signal) => this.#step(signal));
  }

  /** Whether this staged snapshot is to be sent there, or a level there can continue only from it. */
  lacks(snapshot: StagedSnapshot): boolean {
    const input = this.#context.input();
    if (input !== undefined && isRequired(snapshot, input)) return true;
    const newest = this.#context.newest();
    if ((newest?.txid ?? 0n) >= snapshot.txid) return false;
    const { snapshotIntervalMs: intervalMs } = this.#context.sender;
    return isInScope(snapshot.scope, { intervalMs, newest });
  }

  /** The last refusal, if the destination refuses snapshots. */
  get refusal(): SnapshotRefusal | undefined {
    const { failure } = this.queue;
    return failure !== undefined && this.#isRefused
      ? { ...failure, txid: this.#failed }
      : undefined;
  }

  get #isRefused(): boolean {
    return isRefused(this.queue.failingBeside);
  }

  /** Another queue was refused the snapshot `txid`. */
  copyRefusal(queue: UploadQueue, txid: bigint): void {
    this.queue.copyFailure(queue);
    this.#failed = txid;
  }

  /** Sends a snapshot once the level-0 file of the same TXID is there, while level 0 continues. */
  async #step(signal: AbortSignal): Promise<StepResult> {
    const replica = this.#context.replica();
    const input = this.#context.input();
    if (replica === undefined || input === undefined) return 'waiting';
    if (this.#sender.isVerifying) return await this.#sender.verifyListed(replica.client, signal);
    const { snapshot, view } = input;
    if (snapshot === undefined) return this.#isRefused ? 'waiting' : 'idle';
    const hasSnapshot = view.files.topOf(LEVEL_SNAPSHOT) >= snapshot.txid;
    if (!hasSnapshot && !this.lacks(snapshot)) return this.#isRefused ? 'waiting' : 'idle';
    // The snapshot first: its size tells that the file which repairs a level is a full snapshot too.
    const repair = hasSnapshot ? nextRepair(input) : undefined;
    if (hasSnapshot && repair === undefined) return 'idle';
    const isCurrent = view.chain === 'ours' && view.seeding === undefined;
    if (!isCurrent || view.highest < snapshot.txid) return 'waiting';
    if (repair !== undefined) {
      const merged = this.#context.sender.holdings.inFlight.endOfLevel(repair.ref.level);
      if (merged === undefined) {
        return await this.#sendRepair(replica, repair, snapshot.txid, signal);
      }
      // A merged file that was freed while it is sent may be what the level lacks.
      await unlessAborted(merged, [signal]);
      return 'changed';
    }
    const maxTXID = snapshot.txid as TXID;
    const ref = { level: LEVEL_SNAPSHOT, minTXID: 1n as TXID, maxTXID };
    const sent = new SentSnapshot(this.#context.sender.clock);
    try {
      const write = { ref, source: snapshot, need: 'optional' } as const;
      const result = await this.#sender.send(replica, write, signal);
      if (result !== 'worked') return result;
      sent.add(snapshot.sizeBytes);
      this.#context.onSent(sent);
      return result;
    } catch (error) {
      this.#failed = snapshot.txid;
      throw error;
    }
  }

  async #sendRepair(
    replica: FencedReplica,
    repair: SeedWrite,
    txid: bigint,
    signal: AbortSignal,
  ): Promise<StepResult> {
    try {
      return await this.#sender.send(replica, repair, signal);
    } catch (error) {
      this.#failed = txid;
      throw error;
    }
  }
}

/** Whether its files require this snapshot, whatever its interval is: it is seeded from it, or a level has a hole. */
function isRequired(snapshot: StagedSnapshot, input: NextInput): boolean {
  if (nextRepair({ ...input, snapshot }) !== undefined) return true;
  const step = nextStep({ ...input, snapshot });
  return step.kind === 'seed' && step.seed.txid === snapshot.txid;
}
