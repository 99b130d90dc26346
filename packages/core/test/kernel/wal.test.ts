import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createKernel } from '../../src/kernel/kernel.ts';
import { referenceWALChecksum } from './reference.ts';
import { anyBytes, incompressible, PAGE_SIZES } from './samples.ts';

const kernel = createKernel();
const ORDERS = ['little-endian', 'big-endian'] as const;
const SALTS = [0x1b9a294b, 0x37f91916] as const;
const START = { s0: 0x1234, s1: 0xfffffff0 };

describe('the WAL checksum', () => {
  test('matches a header written by SQLite', () => {
    const header = Buffer.from('377f0682002de218000010000000000052382eac857b1a4e', 'hex');
    const expected = { s0: 0x81153b65, s1: 0x87178e8f };
    expect(kernel.walChecksum(header, 'little-endian')).toEqual(expected);
  });

  test('matches the definition in both byte orders, from any state', () => {
    const word = fc.integer({ min: 0, max: 0xffffffff });
    fc.assert(
      fc.property(anyBytes(5000), word, word, (bytes, s0, s1) => {
        const pairs = bytes.subarray(0, bytes.length & ~7);
        for (const order of ORDERS) {
          const expected = referenceWALChecksum(pairs, order, { s0, s1 });
          expect(kernel.walChecksum(pairs, order, { s0, s1 })).toEqual(expected);
        }
      }),
    );
  });

  test('covers input larger than the kernel memory', () => {
    const bytes = incompressible(2_500_008);
    expect(kernel.walChecksum(bytes, 'big-endian')).toEqual(
      referenceWALChecksum(bytes, 'big-endian'),
    );
  });

  test('requires pairs of words', () => {
    expect(() => kernel.walChecksum(new Uint8Array(12), 'big-endian')).toThrow(TypeError);
  });
});

interface Frame {
  readonly bytes: Buffer;
  readonly pgno: number;
  readonly commit: number;
  readonly state: { readonly s0: number; readonly s1: number };
}

/** Frames in the format of SQLite. */
function framesOf(count: number, pageSize: number, order: (typeof ORDERS)[number]): Frame[] {
  const pages = incompressible(count * pageSize);
  let state: Frame['state'] = START;
  return Array.from({ length: count }, (_, i) => {
    const bytes = Buffer.alloc(24 + pageSize);
    bytes.set(pages.subarray(i * pageSize, (i + 1) * pageSize), 24);
    const [pgno, commit] = [i * 3 + 1, i % 2 === 0 ? 0 : 1000 + i];
    for (const [at, word] of [pgno, commit, ...SALTS].entries()) bytes.writeUInt32BE(word, at * 4);
    state = referenceWALChecksum(bytes.subarray(0, 8), order, state);
    state = referenceWALChecksum(bytes.subarray(24), order, state);
    bytes.writeUInt32BE(state.s0, 16);
    bytes.writeUInt32BE(state.s1, 20);
    return { bytes, pgno, commit, state };
  });
}

function scan(bytes: Uint8Array, pageSize: number, order: (typeof ORDERS)[number]) {
  return kernel.scanFrames(bytes, pageSize, ...SALTS, order, START);
}

describe('frames of a WAL', () => {
  test.each(PAGE_SIZES)('of %i bytes are valid in both byte orders', (pageSize) => {
    for (const order of ORDERS) {
      const frames = framesOf(5, pageSize, order);
      const scanned = scan(Buffer.concat(frames.map(({ bytes }) => bytes)), pageSize, order);
      expect(scanned.count).toBe(5);
      expect([...scanned.pgnos]).toEqual(frames.map(({ pgno }) => pgno));
      expect([...scanned.commits]).toEqual(frames.map(({ commit }) => commit));
      expect([...scanned.checksums]).toEqual(frames.flatMap(({ state }) => [state.s0, state.s1]));
    }
  });

  test('can be scanned in any number of batches', () => {
    const frames = framesOf(6, 512, 'little-endian');
    const [first, rest] = [frames.slice(0, 2), frames.slice(2)];
    const [, , s0, s1] = scan(
      Buffer.concat(first.map(({ bytes }) => bytes)),
      512,
      'little-endian',
    ).checksums;
    const state = { s0: s0 ?? 0, s1: s1 ?? 0 };
    const bytes = Buffer.concat(rest.map(({ bytes }) => bytes));
    expect(kernel.scanFrames(bytes, 512, ...SALTS, 'little-endian', state).count).toBe(4);
  });

  test('that fill the input are all scanned', () => {
    const count = Math.floor(kernel.input.length / 536);
    const bytes = Buffer.concat(framesOf(count, 512, 'little-endian').map(({ bytes }) => bytes));
    const scanned = scan(bytes, 512, 'little-endian');
    expect(scanned.count).toBe(count);
    expect(scanned.pgnos.at(-1)).toBe(count * 3 - 2);
  });

  test('end at an incomplete frame', () => {
    const bytes = Buffer.concat(framesOf(3, 512, 'big-endian').map(({ bytes }) => bytes));
    for (const length of [0, 1, 24, 535, 536, 537, 1071, 1072, 1607]) {
      const { count } = scan(bytes.subarray(0, length), 512, 'big-endian');
      expect(count).toBe(Math.floor(length / 536));
    }
  });

  test('end at a frame with other salts, page number 0, or a flipped bit', () => {
    const frames = framesOf(3, 512, 'little-endian').map(({ bytes }) => bytes);
    for (let bit = 0; bit < 536 * 8; bit += 5) {
      const bytes = Buffer.concat(frames);
      const at = 536 + (bit >> 3);
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (bit & 7)), at);
      expect(scan(bytes, 512, 'little-endian').count).toBe(1);
    }
  });

  test('end at page number 0 even with a valid checksum', () => {
    const bytes = Buffer.alloc(536);
    for (const [at, word] of [0, 5, ...SALTS].entries()) bytes.writeUInt32BE(word, at * 4);
    const state = referenceWALChecksum(
      bytes.subarray(24),
      'little-endian',
      referenceWALChecksum(bytes.subarray(0, 8), 'little-endian', START),
    );
    bytes.writeUInt32BE(state.s0, 16);
    bytes.writeUInt32BE(state.s1, 20);
    expect(scan(bytes, 512, 'little-endian').count).toBe(0);
    expect(kernel.walChecksum(bytes.subarray(0, 8), 'little-endian', START)).not.toEqual(START);
  });

  test('after the first invalid frame are not returned', () => {
    const frames = framesOf(2, 512, 'little-endian').map(({ bytes }) => bytes);
    frames[1]?.writeUInt8(99, 100);
    const { count, pgnos, commits, checksums } = scan(Buffer.concat(frames), 512, 'little-endian');
    expect([count, pgnos.length, commits.length, checksums.length]).toEqual([1, 1, 1, 2]);
  });
});
