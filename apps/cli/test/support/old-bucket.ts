/** Buckets with a backup of Litestream 0.3. */

import fs from 'node:fs';
import path from 'node:path';
import { expectedOf, goldenBucket } from './golden.ts';

export const GENERATION = '372397bae1f78807';
export const moments = expectedOf('v03-4k');
/** What Litestream 0.3.13 restores from the whole bucket. */
export const LATEST = 'd47af74915215498e3b015a06138af3ee0edb4cbab3b3a39cb8ade7ff504957e';

export function objectsIn(bucket: string): string[] {
  return fs
    .readdirSync(path.join(bucket, 'generations'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.lz4'))
    .sort()
    .map((name) => path.join(bucket, 'generations', name));
}

/** Sets the upload times: each moment follows the upload of a segment after the first one. */
export function oldBucket(): string {
  const bucket = goldenBucket('v03-4k');
  const times = moments.map(({ at }) => Date.parse(at));
  const [first = 0] = times;
  for (const [place, file] of objectsIn(bucket).entries()) {
    const ms = place < 2 ? first - 2_000 : (times[place - 2] ?? (times.at(-1) ?? 0) + 1_000) - 1;
    fs.utimesSync(file, ms / 1_000, ms / 1_000);
  }
  return bucket;
}

/** A bucket with both layouts. The LTX files are those of another database, an hour later or earlier. */
export function bothLayouts(old: 'earlier' | 'later'): string {
  const bucket = oldBucket();
  fs.cpSync(goldenBucket('block-4k'), bucket, { recursive: true });
  if (old === 'later') return bucket;
  for (const file of objectsIn(bucket)) {
    const seconds = fs.statSync(file).mtimeMs / 1_000 - 3_600;
    fs.utimesSync(file, seconds, seconds);
  }
  return bucket;
}
