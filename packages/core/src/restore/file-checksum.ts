import { ReplicationError } from '../error.ts';
import { combineCRC64 } from '../kernel/kernel.ts';
import { toFileChecksum } from '../ltx/checksum.ts';

/** What a file's checksum is combined from. */
export interface HashedPart {
  /** As if nothing came before it. */
  readonly crc: bigint;
  readonly hashedBytes: number;
}

/** LTX_CHECKSUM_MISMATCH unless all of a file's parts, in order, have its checksum. */
export function requireFileChecksum(parts: Iterable<HashedPart>, fileChecksum: bigint): void {
  let whole = 0n;
  for (const { crc, hashedBytes } of parts) whole = combineCRC64(whole, crc, hashedBytes);
  if (toFileChecksum(whole) === fileChecksum) return;
  throw new ReplicationError('LTX_CHECKSUM_MISMATCH', 'its checksum is not that of its bytes');
}
