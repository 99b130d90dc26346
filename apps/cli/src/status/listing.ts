/**
 * Reads the state of a destination from one listing: its highest TXID, and whether it can be
 * restored.
 */

import { describeDamage, FileSet } from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import type { DestinationConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';

export type Listed =
  | {
      readonly kind: 'listed';
      /** The highest TXID listed; 0n if there is none. */
      readonly txid: bigint;
      readonly sizeBytes: number;
      /** Why the newest state cannot be restored; undefined if it can. */
      readonly damage: string | undefined;
    }
  | { readonly kind: 'failed'; readonly error: unknown };

/**
 * A destination that sends nothing for this long has failed, and is not retried, because health checks have a
 * deadline.
 */
const SILENCE_MS_MAX = 15_000;

/** Throws the errors of the destination. */
export async function listHighest(
  destination: DestinationConfig,
  connections: Destinations,
  signal: AbortSignal,
): Promise<Listed> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(silenceError(destination)), SILENCE_MS_MAX);
  const either = AbortSignal.any([signal, silence.signal]);
  try {
    const { client } = await connections.open(destination, either);
    const files = new FileSet();
    let sizeBytes = 0;
    for await (const file of client.listFiles('all', { signal: either })) {
      timer.refresh();
      files.add(file);
      sizeBytes += file.sizeBytes;
    }
    return { kind: 'listed', txid: files.highest, sizeBytes, damage: describeDamage(files) };
  } finally {
    clearTimeout(timer);
  }
}

function silenceError({ name, target }: DestinationConfig): ReplicationError {
  const message =
    `list ${name} (${target}): no response for ${SILENCE_MS_MAX / 1_000} s; check the address, ` +
    'the server and the network';
  return new ReplicationError('REPLICA_UNAVAILABLE', message);
}
