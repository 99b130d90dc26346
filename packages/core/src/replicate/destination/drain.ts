/** The last sync of one destination, and the facts from which its health is derived. */

import type { Clock } from '../../clock.ts';
import type { Wakeup } from '../waits.ts';
import { shouldGiveUp, type DestinationActivity, type Health } from './health.ts';
import type { LeaseRenewal } from './lease-renewal.ts';
import type { UploadQueue } from './upload-queue.ts';

/** A drain checks its deadline at least this often. */
const DRAIN_CHECK_MS = 250;

export interface Drain {
  /** What it is brought up to. */
  readonly txid: bigint;
  readonly timeoutMs: number;
  readonly retryMs: number;
  /** Whether the lease of another replicator has time to end. */
  readonly leases: 'wait' | 'give up';
  readonly files: UploadQueue;
  readonly health: Health;
  readonly lease: Pick<LeaseRenewal, 'isWaiting' | 'ttlMs'>;
  readonly changed: Wakeup;
  readonly hangMs: number;
  readonly isMakingImage: () => boolean;
  readonly clock: Clock;
}

interface Drained {
  readonly replicatedTXID: bigint | undefined;
  topOf(level: number): bigint | undefined;
}

/** See Uploader.drain. */
export async function drained(uploader: Drained, drain: Drain): Promise<'complete' | 'behind'> {
  const { txid, timeoutMs, retryMs, leases, files, health, lease, changed } = drain;
  const { hangMs, isMakingImage, clock } = drain;
  health.tryStarted();
  for (;;) {
    const change = changed.next(Math.min(retryMs, DRAIN_CHECK_MS));
    // Litestream continues after the newest file of level 0, which follows merged files.
    const levelZero = uploader.topOf(0) ?? -1n;
    if (levelZero >= txid && (uploader.replicatedTXID ?? -1n) >= txid) return 'complete';
    const leaseMs = leases === 'wait' && lease.isWaiting ? lease.ttlMs + timeoutMs : undefined;
    const now = clock.monotonic();
    const limits = { now, timeoutMs, hangMs, isMakingImage: isMakingImage(), leaseMs };
    if (shouldGiveUp(files, health, limits)) return 'behind';
    await change;
  }
}

export function activityOf(
  { files, snapshots }: { readonly files: UploadQueue; readonly snapshots: UploadQueue },
  clock: Clock,
): DestinationActivity {
  const now = clock.monotonic();
  const past = (since: number | undefined): number => (since === undefined ? 0 : now - since);
  return {
    stalledMs: past(files.stalledSince),
    failingMs: past(files.failingSince),
    snapshotStalledMs: past(snapshots.stalledSince),
    snapshotFailingMs: past(snapshots.failingSince),
    error: (files.failure ?? snapshots.failure)?.message,
  };
}
