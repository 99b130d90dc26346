/** Buckets written by Litestream (test/fixtures/golden), with hashes of the databases they restore to. */

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseFilename } from '../../src/ltx/filename.ts';
import type { TXID } from '../../src/ltx/txid.ts';

const GOLDEN = fileURLToPath(new URL('../../../../test/fixtures/golden', import.meta.url));
/** Buckets of Litestream 0.5. The others have no LTX files. */
export const GOLDEN_BUCKETS = [
  'block-4k',
  'block-64k-autovacuum',
  'frame-4k',
  'frame-512',
  'mixed-encodings',
] as const;

export interface GoldenFile {
  readonly path: string;
  readonly level: number;
  readonly minTXID: TXID;
  readonly maxTXID: TXID;
}

export interface GoldenBucket {
  readonly pageSize: number;
  readonly files: GoldenFile[];
  /** SHA-256 of the database that Litestream restores, by TXID. */
  readonly restores: Map<bigint, string>;
}

export function goldenBucket(name: string): GoldenBucket {
  const folder = path.join(GOLDEN, name);
  const expected = JSON.parse(fs.readFileSync(path.join(folder, 'expected.json'), 'utf8')) as {
    page_size: number;
    restores: { txid: string; file_sha256: string }[];
  };
  const root = path.join(folder, 'bucket', 'ltx');
  const files = fs.readdirSync(root).flatMap((level) =>
    fs.readdirSync(path.join(root, level)).map((file) => {
      const txids = parseFilename(file);
      if (txids === undefined) throw new TypeError(`${file} is not the name of an LTX file`);
      return { path: path.join(root, level, file), level: Number(level), ...txids };
    }),
  );
  return {
    pageSize: expected.page_size,
    files,
    restores: new Map(
      expected.restores.map(({ txid, file_sha256 }) => [BigInt(`0x${txid}`), file_sha256]),
    ),
  };
}
