/** Words to say promises in: files, bytes that nobody else has, and what a name holds. */

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  isError,
  readBytes,
  type ByteRange,
  type ErrorCode,
  type ObjectBody,
} from '@sluice/core/backend';
import {
  toTXID,
  type LTXFileInfo,
  type LTXFileRef,
  type Replica,
} from '@sluice/core/backend/testing';

export function ref(
  level: number,
  minTXID: number | bigint,
  maxTXID: number | bigint = minTXID,
): LTXFileRef {
  return { level, minTXID: toTXID(minTXID), maxTXID: toTXID(maxTXID) };
}

/** Bytes that are nobody else's: no two seeds give the same, nor do two offsets. */
export function pattern(sizeBytes: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(sizeBytes / 4));
  let state = (seed * 2_654_435_761 + 12_345) >>> 0;
  for (let index = 0; index < words.length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, sizeBytes);
}

/** A time with milliseconds, so that a place that keeps whole seconds is found out. */
export const CREATED_AT: Date = new Date('2023-11-14T22:13:20.123Z');
const CHUNK_BYTES = 65_536;
const LOOK_EVERY_MS = 20;

/** A body in chunks, as files are read. */
export function bodyOf(bytes: Uint8Array, chunkBytes: number = CHUNK_BYTES): ObjectBody {
  return {
    sizeBytes: bytes.byteLength,
    createdAt: CREATED_AT,
    async *open() {
      for (let offset = 0; offset < bytes.byteLength; offset += chunkBytes) {
        yield bytes.subarray(offset, offset + chunkBytes);
      }
    },
  };
}

/**
 * A body that does something before the chunk at an index, or before it ends; once, however often
 * it is opened: for a checksum before the send, or again after an answer that was lost.
 */
export function bodyThat(
  bytes: Uint8Array,
  index: number | 'end',
  act: () => Promise<void> | void,
): ObjectBody {
  const last = Math.ceil(bytes.byteLength / CHUNK_BYTES) - 1;
  let done = false;
  const actOnce = async (): Promise<void> => {
    if (done) return;
    done = true;
    await act();
  };
  return {
    ...bodyOf(bytes),
    async *open() {
      let count = 0;
      for await (const chunk of bodyOf(bytes).open()) {
        if (index !== 'end' && count === Math.min(index, last)) await actOnce();
        yield chunk;
        count += 1;
      }
      if (index === 'end') await actOnce();
    },
  };
}

export async function write(
  replica: Replica,
  file: LTXFileRef,
  bytes: Uint8Array,
): Promise<LTXFileInfo> {
  return await replica.writeFile(file, bodyOf(bytes));
}

export async function read(
  replica: Replica,
  file: LTXFileRef,
  range?: ByteRange,
): Promise<Uint8Array> {
  const { body } = await replica.openFile(file, range === undefined ? {} : { range });
  return await readBytes(body, Number.MAX_SAFE_INTEGER);
}

/** What a name holds: its bytes, or that it holds nothing. */
export async function held(replica: Replica, file: LTXFileRef): Promise<Uint8Array | 'none'> {
  try {
    return await read(replica, file);
  } catch (error) {
    if (isError(error, 'REPLICA_NOT_FOUND')) return 'none';
    throw error;
  }
}

export function assertBytes(actual: Uint8Array | 'none', expected: Uint8Array | 'none'): void {
  if (actual === 'none' || expected === 'none') {
    assert.equal(sizeOf(actual), sizeOf(expected));
    return;
  }
  assert.equal(actual.byteLength, expected.byteLength, 'bytes');
  if (Buffer.compare(actual, expected) === 0) return;
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  const total = actual.byteLength;
  assert.fail(`byte ${at} of ${total} is ${actual[at]}, and ${expected[at]} was written`);
}

/** With the numbers in its message. */
export function assertAtMost(actual: number, most: number, what: string): void {
  assert(actual <= most, `${what}: ${round(actual)}, and ${round(most)} at most were expected`);
}

export function assertAtLeast(actual: number, least: number, what: string): void {
  assert(actual >= least, `${what}: ${round(actual)}, and ${round(least)} at least were expected`);
}

function round(value: number): number {
  return Math.round(value);
}

function sizeOf(bytes: Uint8Array | 'none'): string {
  return bytes === 'none' ? 'no object' : `${bytes.byteLength} bytes`;
}

export async function list(
  replica: Replica,
  level: number | 'all',
  options?: { from?: LTXFileRef['minTXID'] },
): Promise<LTXFileInfo[]> {
  return await Array.fromAsync(replica.listFiles(level, options));
}

export function names(files: readonly LTXFileRef[]): string[] {
  return files.map((file) => `${file.level}/${file.minTXID}-${file.maxTXID}`);
}

/** Rejects with one of ours. */
export async function rejectsWith(
  work: Promise<unknown>,
  ...codes: readonly ErrorCode[]
): Promise<void> {
  const error: unknown = await work.then(
    () => new Error(`it was done; ${codes.join(' or ')} was expected`),
    (reason: unknown) => reason,
  );
  if (isError(error) && codes.includes(error.code)) return;
  throw error;
}

/** What is right as soon as it settles: looked at again and again until `ms` are over. */
export async function eventually(ms: number, check: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + ms;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(LOOK_EVERY_MS);
    }
  }
}

/** Runs `work` on every item, a few at a time. */
export async function inParallel<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<unknown>,
): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}
