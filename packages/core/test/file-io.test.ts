import fs from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readFully, readFullySync, writeFully, writeFullySync } from '../src/file-io.ts';

const SIZE = 1_000;
const bytes = Uint8Array.from({ length: SIZE }, (_, index) => index % 251);
let folder: string;
let handle: FileHandle;

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-file-io-'));
  handle = await open(path.join(folder, 'file'), 'w+');
});

afterEach(async () => {
  vi.restoreAllMocks();
  await handle.close();
  fs.rmSync(folder, { recursive: true });
});

/** The system handles at most `most` bytes a call. */
function shorten(most: number): void {
  limit(fs, 'readSync', 3, most);
  limit(fs, 'writeSync', 3, most);
  limit(handle, 'read', 2, most);
  limit(handle, 'write', 2, most);
}

/** The argument at `lengthAt` of this method is at most `most`. */
function limit(owner: object, name: string, lengthAt: number, most: number): void {
  const real = Reflect.get(owner, name) as (...args: unknown[]) => unknown;
  const short = (...args: unknown[]): unknown => {
    const limited = args.map((arg, at) => (at === lengthAt ? Math.min(arg as number, most) : arg));
    return Reflect.apply(real, owner, limited);
  };
  vi.spyOn(owner as Record<string, typeof short>, name).mockImplementation(short);
}

test.each([1, 7, 999, 1_000])(
  'calls that handle %i bytes at most end with all of them',
  async (most) => {
    shorten(most);
    writeFullySync(handle.fd, bytes, 50);
    const there = new Uint8Array(SIZE);
    expect(readFullySync(handle.fd, there, 50)).toBe(SIZE);
    expect(there).toEqual(bytes);
    await handle.truncate(0);
    await writeFully(handle, bytes);
    expect(await readFully(handle, there.fill(0), 0)).toBe(SIZE);
    expect(there).toEqual(bytes);
    expect(await readFully(handle.fd, there.fill(0), 0)).toBe(SIZE);
    expect(there).toEqual(bytes);
  },
);

test('without a position, bytes go where the file stands', () => {
  shorten(7);
  writeFullySync(handle.fd, bytes.subarray(0, 500));
  writeFullySync(handle.fd, bytes.subarray(500));
  const there = new Uint8Array(SIZE);
  expect(readFullySync(handle.fd, there, 0)).toBe(SIZE);
  expect(there).toEqual(bytes);
});

test('a read beyond the end gives what there is', async () => {
  writeFullySync(handle.fd, bytes, 0);
  const there = new Uint8Array(SIZE);
  expect(readFullySync(handle.fd, there, 900)).toBe(100);
  expect(await readFully(handle, there, 900)).toBe(100);
  expect(await readFully(handle.fd, there, 2_000)).toBe(0);
});

test('a volume that takes nothing is full, and is not asked for ever', async () => {
  shorten(0);
  expect(() => writeFullySync(handle.fd, bytes, 0)).toThrow(
    expect.objectContaining({ code: 'ENOSPC' }),
  );
  await expect(writeFully(handle, bytes)).rejects.toMatchObject({ code: 'ENOSPC' });
});
