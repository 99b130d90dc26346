/** The size and the file checksum of a stored LTX file, whether or not it is encrypted. */

import { readFileChecksum } from '../ltx/file.ts';
import { FILE_CHECKSUM_SIZE_BYTES } from '../ltx/trailer.ts';
import { rangesOf } from './ranges.ts';
import type { LTXFileInfo, ReplicaFiles } from './replica.ts';

export interface StoredChecksum {
  /** Decrypted. */
  readonly sizeBytes: number;
  readonly checksum: bigint;
}

/** Reads the end of a file; all of an encrypted one, because its end cannot be decrypted alone. */
export async function readStoredChecksum(
  client: ReplicaFiles,
  file: LTXFileInfo,
  signal: AbortSignal | undefined,
): Promise<StoredChecksum> {
  if (client.encrypted === undefined) {
    const { sizeBytes } = file;
    return {
      sizeBytes,
      checksum: await readFileChecksum(rangesOf(client, file, signal), sizeBytes),
    };
  }
  const { sizeBytes, body } = await client.openFile(file, { signal });
  let end: Buffer = Buffer.alloc(0);
  for await (const chunk of body) {
    end = Buffer.concat([end, chunk.subarray(-FILE_CHECKSUM_SIZE_BYTES)]);
    end = end.subarray(-FILE_CHECKSUM_SIZE_BYTES);
  }
  const read = async (): Promise<Uint8Array> => end;
  return { sizeBytes, checksum: await readFileChecksum(read, sizeBytes) };
}
