/**
 * Copies a file at its destination instead of sending the same bytes again. Files of one image with the
 * same TXIDs have the same bytes: a first image has TXID 1, so its level-0 file 1..1 is also its
 * snapshot. Files with other TXIDs differ in their headers, and are sent.
 *
 * A copy is not conditional, unlike a write. So nothing may exist under the new name, only a file that
 * this process uploaded is copied, and the size and the file checksum at the end of the copy are compared.
 * A destination that cannot copy, or that fails to, gets the bytes as usual.
 */

import { isError, messageOf } from '../../error.ts';
import { formatFileChecksum, readFileChecksum } from '../../ltx/file.ts';
import type { FencedReplica } from '../../replica/fencing.ts';
import type { LTXFileInfo, ReplicaFiles } from '../../replica/replica.ts';
import { readBytes } from '../../store/body.ts';
import { describeFile } from '../../store/describe.ts';
import type { LTXFileRef } from '../../store/layout.ts';

/** A copy costs five small requests. A smaller file is sent again in one. */
export const COPY_BYTES_MIN = 1_048_576;

const FIRST_BYTE = { start: 0, end: 1 };

export interface ServerCopy {
  readonly from: LTXFileRef;
  readonly to: LTXFileRef;
  readonly sizeBytes: number;
  /** File checksum, 16 hex digits. */
  readonly checksum: string;
  readonly onFound: (level: 'warn' | 'debug', message: string) => void;
  readonly signal: AbortSignal;
}

/**
 * The copied file. 'not copied': it must be written as usual. 'wrong bytes': the copy must be replaced.
 */
export type ServerCopyResult = LTXFileInfo | 'not copied' | 'wrong bytes';

export async function copyAtServer(
  { client, capabilities }: FencedReplica,
  copy: ServerCopy,
): Promise<ServerCopyResult> {
  const { from, to, sizeBytes, checksum, onFound, signal } = copy;
  // Without ranges, the verification would read the whole file.
  if (client.copyFile === undefined || capabilities.ranges === undefined) return 'not copied';
  try {
    if ((await sizeOf(client, to, signal)) !== undefined) return 'not copied';
    const info = await client.copyFile(from, to, { signal });
    const foundBytes = await sizeOf(client, to, signal);
    const isSame =
      foundBytes === sizeBytes && (await checksumOf(client, to, sizeBytes, signal)) === checksum;
    if (isSame) return { ...info, sizeBytes };
    const what = foundBytes === sizeBytes ? 'other bytes' : `${foundBytes ?? 0} bytes`;
    onFound(
      'warn',
      `copy ${describeFile(from)} to ${describeFile(to)}: the copy has ${what}, expected the ` +
        `${sizeBytes} bytes of its source; it is written again`,
    );
    return 'wrong bytes';
  } catch (error) {
    signal.throwIfAborted();
    const level = isError(error, 'REPLICA_UNSUPPORTED') ? 'debug' : 'warn';
    onFound(level, `${messageOf(error)}; the file is sent instead`);
    return 'not copied';
  }
}

/** undefined if the file does not exist. */
async function sizeOf(
  client: ReplicaFiles,
  file: LTXFileRef,
  signal: AbortSignal,
): Promise<number | undefined> {
  try {
    const { sizeBytes, body } = await client.openFile(file, { range: FIRST_BYTE, signal });
    for await (const chunk of body) void chunk;
    return sizeBytes;
  } catch (error) {
    if (isError(error, 'REPLICA_NOT_FOUND')) return undefined;
    throw error;
  }
}

async function checksumOf(
  client: ReplicaFiles,
  file: LTXFileRef,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<string> {
  const read = async (start: number, end: number): Promise<Uint8Array> => {
    const { body } = await client.openFile(file, { range: { start, end }, signal });
    return await readBytes(body, end - start);
  };
  return formatFileChecksum(await readFileChecksum(read, sizeBytes));
}
