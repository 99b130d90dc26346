/** How far a destination is, and whether that can be restored, by one listing of it. */

import { describeDamage, FileSet } from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import type { DestinationConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';

export type Listed =
  | {
      readonly kind: 'listed';
      /** The highest that is listed; 0n where nothing is. */
      readonly txid: bigint;
      readonly sizeBytes: number;
      /** Why the newest state cannot be restored; undefined where it can. */
      readonly damage: string | undefined;
    }
  | { readonly kind: 'failed'; readonly error: unknown };

/**
 * Who asks for a status waits, as a health check does with a deadline of its own. So a destination that
 * gives nothing for so long has not answered, and is not asked again.
 */
const SILENCE_MS_MAX = 15_000;

/** Errors of the destination. */
export async function listHighest(
  destination: DestinationConfig,
  open: Destinations,
  signal: AbortSignal,
): Promise<Listed> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(silenceError(destination)), SILENCE_MS_MAX);
  const either = AbortSignal.any([signal, silence.signal]);
  try {
    const { client } = await open.open(destination, either);
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
    `list ${name} (${target}): it has not answered for ${SILENCE_MS_MAX / 1_000} s; check the address, ` +
    'the server, and the network on the way there';
  return new ReplicationError('REPLICA_UNAVAILABLE', message);
}
