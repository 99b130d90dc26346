/**
 * Reads the state of a destination from one listing: its highest TXID, and whether it can be
 * restored.
 */

import { describeDamage, FileSet } from '@sluice/core';
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

/** Throws the errors of the destination. */
export async function listHighest(
  destination: DestinationConfig,
  open: Destinations,
  signal: AbortSignal,
): Promise<Listed> {
  const { client } = await open.open(destination, signal);
  const files = new FileSet();
  let sizeBytes = 0;
  for await (const file of client.listFiles('all', { signal })) {
    files.add(file);
    sizeBytes += file.sizeBytes;
  }
  return { kind: 'listed', txid: files.highest, sizeBytes, damage: describeDamage(files) };
}
