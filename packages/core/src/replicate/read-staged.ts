/** Reads of staged files, which are whole: bytes that are missing mean that the volume lost them. */

import { ReplicationError } from '../error.ts';
import type { StoredFile } from '../file-system.ts';

/** Exactly these bytes, in a buffer of their own; STAGING_FAILED where the file does not have them. */
export async function readStaged(
  handle: StoredFile,
  path: string,
  start: number,
  length: number,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  const count = start < 0 ? 0 : await handle.read(bytes, start);
  if (count === length) return bytes;
  throw new ReplicationError(
    'STAGING_FAILED',
    `read ${length} bytes at ${start} of the staged file ${path}: got only ${count} bytes; check the volume`,
  );
}
