/** Copies of buckets written by Litestream. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './temporary.ts';

const GOLDEN = fileURLToPath(new URL('../../../../test/fixtures/golden/', import.meta.url));

export interface Expected {
  readonly txid: string;
  readonly at: string;
  readonly file_sha256: string;
}

/** Returns a copy of the folder of a replica. */
export function goldenBucket(name = 'block-4k'): string {
  const folder = path.join(temporaryFolder(), 'bucket');
  fs.cpSync(path.join(GOLDEN, name, 'bucket'), folder, { recursive: true });
  return folder;
}

/** The expected restores, oldest first. */
export function expectedOf(name = 'block-4k'): readonly Expected[] {
  const text = fs.readFileSync(path.join(GOLDEN, name, 'expected.json'), 'utf8');
  return (JSON.parse(text) as { restores: Expected[] }).restores;
}

export function sha256(file: string): string {
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}

/** Deletes all files with a maxTXID above `txid`, so that the bucket is behind. */
export function cutBucket(bucket: string, txid: string): void {
  for (const name of fs.readdirSync(bucket, { recursive: true }) as string[]) {
    const max = /-([0-9a-f]{16})\.ltx$/.exec(name)?.[1];
    if (max !== undefined && max > txid) fs.rmSync(path.join(bucket, name));
  }
}

/** Flips one bit in the middle of each file with the maxTXID `txid`. */
export function damageBucket(bucket: string, txid: string): void {
  for (const name of fs.readdirSync(bucket, { recursive: true }) as string[]) {
    if (!name.endsWith(`${txid}.ltx`)) continue;
    const bytes = fs.readFileSync(path.join(bucket, name));
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    fs.writeFileSync(path.join(bucket, name), bytes);
  }
}

/** Flips one bit of a TXID in the header of the file at level 0 that ends with `txid`. */
export function damageHeader(bucket: string, txid: string): void {
  const file = path.join(bucket, 'ltx', '0', `${txid}-${txid}.ltx`);
  const bytes = fs.readFileSync(file);
  bytes[20] = (bytes[20] ?? 0) ^ 0x80;
  fs.writeFileSync(file, bytes);
}
