import { isError } from '../../src/error.ts';
import { describe, expect, test } from 'vitest';
import { PartReader, partSizeFor } from '../../src/store/http/part-reader.ts';

const MIB = 1024 * 1024;

function bytesOf(sizeBytes: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, index) => index % 251);
}

/** Chunks from one reused buffer, like reads of a file. */
async function* inChunks(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(chunkBytes);
  for (let offset = 0; offset < bytes.byteLength; offset += chunkBytes) {
    const chunk = bytes.subarray(offset, offset + chunkBytes);
    buffer.set(chunk);
    yield buffer.subarray(0, chunk.byteLength);
    yield new Uint8Array(0);
  }
}

async function readAll(
  reader: PartReader,
  sizeBytes: number,
  partBytes: number,
): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  for (let read = 0; read < sizeBytes; read += partBytes) {
    parts.push(Buffer.from(await reader.next(partBytes)));
  }
  return parts;
}

describe.each([1, 3, 7, 10, 64])('a body in chunks of %i bytes', (chunkBytes) => {
  test.each([1, 5, 7, 63, 64, 65, 200])('is split into parts of %i bytes', async (partBytes) => {
    const bytes = bytesOf(64);
    const reader = new PartReader(inChunks(bytes, chunkBytes), 64, 'write x');
    const parts = await readAll(reader, 64, partBytes);
    expect(Buffer.concat(parts).equals(bytes)).toBe(true);
    for (const part of parts.slice(0, -1)) expect(part.byteLength).toBe(partBytes);
  });
});

test('a body of the wrong size fails before its last part is returned', async () => {
  const short = new PartReader(inChunks(bytesOf(9), 4), 10, 'write x');
  await short.next(5);
  await expect(short.next(5)).rejects.toSatisfy((error) => isError(error, 'LTX_TRUNCATED'));
  const long = new PartReader(inChunks(bytesOf(11), 4), 10, 'write x');
  await long.next(5);
  await expect(long.next(5)).rejects.toSatisfy((error) => isError(error, 'LTX_INVALID'));
  const notEmpty = new PartReader(inChunks(bytesOf(1), 4), 0, 'write x');
  await expect(notEmpty.next(5)).rejects.toSatisfy((error) => isError(error, 'LTX_INVALID'));
});

test('an empty body is one empty part', async () => {
  const reader = new PartReader(inChunks(bytesOf(0), 4), 0, 'write x');
  expect((await reader.next(5)).byteLength).toBe(0);
});

test('closing a reader early closes its source', async () => {
  let closed = false;
  const source = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* inChunks(bytesOf(100), 10);
    } finally {
      closed = true;
    }
  };
  const reader = new PartReader(source(), 100, 'write x');
  await reader.next(10);
  await reader.close();
  expect(closed).toBe(true);
});

test('parts are larger only if there would be too many', () => {
  expect(partSizeFor(100 * MIB, 8 * MIB, 10_000)).toBe(8 * MIB);
  expect(partSizeFor(80_000 * MIB, 8 * MIB, 10_000)).toBe(8 * MIB);
  expect(partSizeFor(80_000 * MIB + 1, 8 * MIB, 10_000)).toBe(9 * MIB);
  expect(partSizeFor(80_000 * MIB, 8 * MIB, 1_000)).toBe(80 * MIB);
  for (const sizeBytes of [1, 12_345_678_901, 5 * 1024 ** 4]) {
    const partBytes = partSizeFor(sizeBytes, 5 * MIB, 10_000);
    expect(Math.ceil(sizeBytes / partBytes)).toBeLessThanOrEqual(10_000);
  }
});
