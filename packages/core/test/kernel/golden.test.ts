import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createKernel, type DecodedPages } from '../../src/kernel/kernel.ts';

const GOLDEN = fileURLToPath(new URL('../../../../test/fixtures/golden', import.meta.url));
const BUCKETS = ['block-4k', 'block-64k-autovacuum', 'frame-4k', 'frame-512', 'mixed-encodings'];
const HEADER_BYTES = 100;

const kernel = createKernel();

function filesOf(bucket: string): Buffer[] {
  const root = path.join(GOLDEN, bucket, 'bucket', 'ltx');
  const names = fs.readdirSync(root, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.ltx'))
    .map((name) => fs.readFileSync(path.join(root, name)));
}

/** Decodes the pages of a file, and computes its checksum. */
function decodeFile(file: Buffer): { batches: DecodedPages[]; checksum: bigint } {
  const pageSize = file.readUInt32BE(8);
  const batches: DecodedPages[] = [];
  let crc = kernel.crc64(file.subarray(0, HEADER_BYTES));
  let at = HEADER_BYTES;
  while (batches.at(-1)?.stopped !== 'end') {
    const batch = kernel.decodePages(file.subarray(at), pageSize, crc);
    expect(batch.stopped).not.toBe('input');
    batches.push({
      ...batch,
      pgnos: batch.pgnos.slice(),
      pages: batch.pages.slice(),
      sizes: batch.sizes.slice(),
    });
    crc = batch.crc;
    at += batch.consumedBytes;
  }
  return { batches, checksum: kernel.crc64(file.subarray(at, -8), crc) | (1n << 63n) };
}

describe.each(BUCKETS)('Litestream bucket %s', (bucket) => {
  test('decodes, with the stored checksum of every file', () => {
    const files = filesOf(bucket);
    expect(files.length).toBeGreaterThan(10);
    for (const file of files) {
      expect(decodeFile(file).checksum).toBe(file.readBigUInt64BE(file.length - 8));
    }
  });

  test('has the same size when we encode it', () => {
    let ours = 0;
    let theirs = 0;
    for (const file of filesOf(bucket)) {
      const pageSize = file.readUInt32BE(8);
      const encoding = file.readUInt16BE(HEADER_BYTES + 4) === 1 ? 'block' : 'frame';
      for (const { pgnos, pages, sizes } of decodeFile(file).batches) {
        ours += kernel.encodePages(pgnos, pages, pageSize, encoding, 0n).bytes.length;
        theirs += sizes.reduce((sum, size) => sum + size, 0);
      }
    }
    expect(Math.abs(ours - theirs) / theirs).toBeLessThan(0.01);
  });
});
