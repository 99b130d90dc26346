/** What is stored in a bucket, and whether the files of an encrypted one can be read without its identity. */

import { Broken } from './claims.ts';
import { fileNameOf } from './actors/truth.ts';
import type { Bucket } from './ports/bucket.ts';
import { openAgeFile } from './ports/age-file.ts';

/** The application writes it into its rows. */
export const MARKER = 'a secret of the application';
/** Text that shows that pages of the application can be read. */
const SECRETS: readonly string[] = [MARKER, 'SQLite format 3', 'CREATE TABLE'];

/** The decrypted bytes of an object that is written. */
export function readStored(bucket: Bucket, key: string, bytes: Uint8Array): Uint8Array {
  if (!bucket.isEncrypted) return bytes;
  const stored = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const secret of SECRETS) {
    if (!stored.includes(secret)) continue;
    throw new Broken('nothing readable', `${bucket.name} gets ${key}, with "${secret}" in it`);
  }
  if (fileNameOf(key) === undefined) return bytes; // named objects have no pages
  try {
    return openAgeFile(bytes);
  } catch (error) {
    throw new Broken('nothing readable', `${bucket.name} gets ${key}: ${String(error)}`);
  }
}
