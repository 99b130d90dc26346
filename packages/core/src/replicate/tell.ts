/** An uploader as its status and its report. Pure. */

import { formatTXID } from '../ltx/txid.ts';
import type { Backlog } from './backlog.ts';
import type { DestinationReport, DestinationStatus, StatusError } from './status.ts';
import type { UploadFailure } from './upload-queue.ts';
import type { Uploader } from './uploader.ts';

export interface TellInput {
  readonly backlog: Backlog;
  /** Now, by the monotonic clock. */
  readonly monotonicMs: number;
}

export function toDestinationStatus(
  uploader: Uploader,
  type: string,
  input: TellInput,
): DestinationStatus {
  const { replicatedTXID, health, snapshotRefusal } = uploader;
  const pending = input.backlog.pendingAfter(replicatedTXID ?? 0n);
  const { lastError, lastSuccessMs } = health;
  return {
    name: uploader.name,
    type,
    target: uploader.target,
    state: uploader.state,
    damage: uploader.holdings.why,
    txid: replicatedTXID === undefined ? undefined : formatTXID(replicatedTXID),
    lagSeconds:
      pending.since === undefined ? 0 : Math.max(0, input.monotonicMs - pending.since) / 1000,
    pendingFiles: pending.count,
    pendingBytes: pending.sizeBytes,
    fencing: uploader.fencing,
    listings: uploader.listings,
    bytesSent: health.bytesSent,
    lastSuccessAt: lastSuccessMs === undefined ? undefined : new Date(lastSuccessMs).toISOString(),
    snapshotError: toStatusError(snapshotRefusal),
    lastError: toStatusError(lastError),
  };
}

function toStatusError(failure: UploadFailure | undefined): StatusError | undefined {
  if (failure === undefined) return undefined;
  const { code, message, atMs } = failure;
  return { code, message, at: new Date(atMs).toISOString() };
}

export function toDestinationReport(
  uploader: Uploader,
  complete: 'complete' | 'behind',
): DestinationReport {
  const { replicatedTXID, health } = uploader;
  const { lastError } = health;
  const unknown = { code: 'REPLICA_UNAVAILABLE', message: 'it has not answered yet' };
  const cause = lastError ?? unknown;
  return {
    name: uploader.name,
    target: uploader.target,
    txid: replicatedTXID === undefined ? undefined : formatTXID(replicatedTXID),
    complete,
    cause: complete === 'complete' ? undefined : { code: cause.code, message: cause.message },
  };
}
