/** How far a destination is, by one listing of it. */

import type { TXID } from '@sluice/core/backend';
import type { DestinationConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';

export type Listed =
  | { readonly kind: 'listed'; readonly txid: TXID | undefined; readonly sizeBytes: number }
  | { readonly kind: 'failed'; readonly error: unknown };

/** Errors of the destination. */
export async function listHighest(
  destination: DestinationConfig,
  open: Destinations,
  signal: AbortSignal,
): Promise<Listed> {
  const { client } = await open.open(destination, signal);
  let txid: TXID | undefined;
  let sizeBytes = 0;
  for await (const file of client.listFiles('all', { signal })) {
    if (txid === undefined || file.maxTXID > txid) txid = file.maxTXID;
    sizeBytes += file.sizeBytes;
  }
  return { kind: 'listed', txid, sizeBytes };
}
