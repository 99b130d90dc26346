/** Files are cut into pieces at any byte, and pieces are verified. */

import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createKernel } from '../../src/kernel/kernel.ts';
import { createThreadPool } from '../../src/restore/decode/decoder-pool.ts';
import { PieceDecoder } from '../../src/restore/decode/piece-decoder.ts';
import { FileScan } from '../../src/restore/decode/file-scan.ts';
import type { Piece } from '../../src/restore/decode/messages.ts';
import { Slabs } from '../../src/restore/decode/slabs.ts';
import { randomFrom } from '../support/random.ts';
import { encodeFile, History } from './bucket.ts';
import { temporaryFolder } from './temporary.ts';

const PAGE_SIZE = 512;
const kernel = createKernel();
/** Slightly more than the largest frame of a page of this size. */
const SLAB_BYTES_MIN = 600;
const CHUNK_BYTES = 256;

/** Scans a file through buffers of this size. */
async function scan(bytes: Uint8Array, slabBytes: number, decoder: PieceDecoder): Promise<void> {
  const slabs = new Slabs(2, slabBytes, new AbortController().signal);
  const seen = new Set<number>();
  const file = new FileScan({
    kernel,
    pool: {
      async decode(piece) {
        slabs.release(piece.slab);
        return decoder.decode(piece);
      },
      async close() {},
    },
    slabs,
    onHeader: () => {},
    claim: (pgno) => !seen.has(pgno) && seen.add(pgno).has(pgno),
    onFailure: () => {},
  });
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    await file.push(bytes.subarray(at, at + CHUNK_BYTES));
  }
  const { verified, isFullImage } = file.finish();
  await verified;
  expect(isFullImage).toBe(true);
}

test('a buffer may end anywhere in a file', async () => {
  const random = randomFrom(21);
  const history = new History(PAGE_SIZE);
  history.commit(random, 10, 0);
  const name = path.join(temporaryFolder(), 'output');
  const descriptor = fs.openSync(name, 'w');
  const decoder = new PieceDecoder(descriptor);
  for (const [encoding, step] of [
    ['block', 1],
    ['frame', 7],
  ] as const) {
    const bytes = encodeFile(1, 1, { ...history.image(1), encoding });
    expect(bytes.length).toBeGreaterThan(2 * SLAB_BYTES_MIN);
    for (let slabBytes = SLAB_BYTES_MIN; slabBytes <= bytes.length + 1; slabBytes += step) {
      fs.ftruncateSync(descriptor, 0);
      await scan(bytes, slabBytes, decoder);
      const same = fs.readFileSync(name).equals(history.bytes(1));
      expect({ encoding, slabBytes, same }).toEqual({ encoding, slabBytes, same: true });
    }
  }
  fs.closeSync(descriptor);
});

describe('a piece', () => {
  const pages = Uint8Array.from({ length: 3 * PAGE_SIZE }, (_, i) => i >> 4);
  const encoded = kernel.encodePages(Uint32Array.of(4, 5, 9), pages, PAGE_SIZE, 'block', 0n);
  const frames = encoded.bytes.slice();
  const { crc } = encoded;
  const firstEnd = encoded.sizes[0] ?? 0;

  function decode(change: Partial<Piece>): { crc: bigint; output: Uint8Array } {
    const name = path.join(temporaryFolder(), 'output');
    const descriptor = fs.openSync(name, 'w');
    try {
      const slab = new Uint8Array(1000);
      slab.set(frames);
      const result = new PieceDecoder(descriptor).decode({
        slab,
        pagesStart: 0,
        batchEnds: [frames.length],
        end: frames.length,
        pageSize: PAGE_SIZE,
        targets: Uint32Array.of(4, 0, 9),
        ...change,
      });
      return { crc: result, output: fs.readFileSync(name) };
    } finally {
      fs.closeSync(descriptor);
    }
  }

  test('is hashed completely, and its wanted pages are written', () => {
    const { crc: result, output } = decode({});
    expect(result).toBe(crc);
    const expected = new Uint8Array(9 * PAGE_SIZE);
    expected.set(pages.subarray(0, PAGE_SIZE), 3 * PAGE_SIZE);
    expected.set(pages.subarray(2 * PAGE_SIZE), 8 * PAGE_SIZE);
    expect(Buffer.compare(output, expected)).toBe(0);
  });

  test('may consist of several batches', () => {
    expect(decode({ batchEnds: [firstEnd, frames.length] }).crc).toBe(crc);
  });

  test.each<[string, Partial<Piece>]>([
    ['ends within a frame', { batchEnds: [frames.length - 1], end: frames.length - 1 }],
    ['has another page than it was walked over as', { targets: Uint32Array.of(4, 0, 8) }],
    ['has more frames than it was said to', { targets: Uint32Array.of(4, 5) }],
    ['has fewer frames than it was said to', { targets: Uint32Array.of(4, 0, 9, 10) }],
    ['has the end of the pages in it', { batchEnds: [frames.length + 6], end: frames.length + 6 }],
  ])('that %s is refused', (_, change) => {
    expect(() => decode(change)).toThrow(expect.objectContaining({ code: 'LTX_INVALID' }));
  });
});

test('a thread is started for the first piece that is not small, and not before', async () => {
  let started = 0;
  const count = (): void => void (started += 1);
  process.on('worker', count);
  const name = path.join(temporaryFolder(), 'output');
  const descriptor = fs.openSync(name, 'w+');
  const slabs = new Slabs(2, 256 * 1024, new AbortController().signal);
  const pool = createThreadPool({ descriptor }, slabs, 2);
  /** A piece of `pages` pages that do not compress, the first of which is page `first`. */
  const decode = async (first: number, pages: number): Promise<boolean> => {
    const random = randomFrom(first);
    const content = Uint8Array.from({ length: pages * PAGE_SIZE }, () => random.int(0, 255));
    const pgnos = Uint32Array.from({ length: pages }, (_, at) => first + at);
    const { bytes, crc } = kernel.encodePages(pgnos, content, PAGE_SIZE, 'block', 0n);
    const end = bytes.length;
    const slab = await slabs.acquire();
    slab.set(bytes);
    const found = await pool.decode({
      slab,
      pagesStart: 0,
      batchEnds: [end],
      end,
      pageSize: PAGE_SIZE,
      targets: pgnos.slice(),
    });
    const written = Buffer.alloc(content.length);
    fs.readSync(descriptor, written, 0, written.length, (first - 1) * PAGE_SIZE);
    return found === crc && written.equals(content);
  };
  try {
    for (let first = 1; first <= 40; first += 4) expect(await decode(first, 4)).toBe(true);
    expect(started).toBe(0);
    expect(await decode(41, 200)).toBe(true);
    expect(started).toBe(2);
    expect(await decode(241, 200)).toBe(true);
    expect(started).toBe(2);
  } finally {
    process.off('worker', count);
    await pool.close();
    fs.closeSync(descriptor);
  }
});
