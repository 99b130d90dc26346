import { compressFrameSync } from 'lz4-napi';
import { expect, test } from 'vitest';
import { decodeLZ4Frame, LZ4Error } from '../../src/v03/lz4-frame.ts';
import { XXH32 } from '../../src/v03/xxh32.ts';
import { randomFrom, seedOf, type Random } from '../support/random.ts';

/** Splits into chunks of at most `size` bytes. */
async function* chunksOf(bytes: Uint8Array, size = 1_000): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function decode(bytes: Uint8Array, chunkBytes?: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of decodeLZ4Frame(chunksOf(bytes, chunkBytes))) {
    parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts);
}

/** Partly compressible, with long and short matches, near and far. */
function content(random: Random, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const run = Math.min(length - at, random.int(1, 3_000));
    const back = random.int(1, Math.max(1, Math.min(at, 60_000)));
    for (let i = at; i < at + run; i++) {
      bytes[i] = run % 3 === 0 ? random.int(0, 255) : (bytes[i - back] ?? i % 256);
    }
    at += run;
  }
  return bytes;
}

test('frames of another encoder are decoded, in chunks of any size', async () => {
  const seed = seedOf();
  const random = randomFrom(seed);
  for (const length of [0, 1, 15, 16, 4_096, 70_000, 1_000_000]) {
    const bytes = content(random, length);
    for (const contentChecksum of [true, false]) {
      for (const blockChecksums of [true, false]) {
        const frame = compressFrameSync(bytes, { contentChecksum, blockChecksums });
        const decoded = await decode(frame, random.int(1, 9_000));
        expect(decoded.equals(bytes), `seed ${seed}, ${length} bytes`).toBe(true);
      }
    }
  }
});

/** A frame of blocks that may refer to earlier blocks. */
function linkedFrame(...blocks: readonly (readonly number[])[]): Buffer {
  const descriptor = Buffer.from([0x40, 0x40]); // version 01, linked, 64 KiB
  const checksum = (new XXH32().update(descriptor).digest() >>> 8) & 0xff;
  const size = (length: number): number[] => [length & 0xff, length >> 8, 0, 0];
  const body = blocks.flatMap((block) => [...size(block.length), ...block]);
  return Buffer.from([0x04, 0x22, 0x4d, 0x18, ...descriptor, checksum, ...body, 0, 0, 0, 0]);
}

test('linked blocks may refer to earlier blocks, but not to bytes before the first', async () => {
  const literal = [0x40, ...Buffer.from('abcd')];
  const match = [0x00, 4, 0, 0x10, 0x21]; // 4 bytes from 4 back, then "!"
  const far = [0x00, 5, 0, 0x10, 0x21];
  expect(String(await decode(linkedFrame(literal, match)))).toBe('abcdabcd!');
  await expect(decode(linkedFrame(literal, far))).rejects.toThrow(LZ4Error);
});

test('every truncation and every flipped bit is an error', async () => {
  const frame = compressFrameSync(content(randomFrom(1), 600), { contentChecksum: true });
  for (let length = 0; length < frame.length; length++) {
    await expect(decode(frame.subarray(0, length)), `${length} bytes`).rejects.toThrow(LZ4Error);
  }
  for (let bit = 0; bit < frame.length * 8; bit++) {
    const damaged = Buffer.from(frame);
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    await expect(decode(damaged), `bit ${bit}`).rejects.toThrow(LZ4Error);
  }
  await expect(decode(Buffer.concat([frame, Buffer.from([0])]))).rejects.toThrow(/after its end/);
});
