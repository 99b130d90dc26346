/** Helpers for cases: test data, reads, writes and assertions. */

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

/** Bytes that differ for each seed and offset. */
export function pattern(sizeBytes: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(sizeBytes / 4));
  let state = (seed * 2_654_435_761 + 12_345) >>> 0;
  for (let index = 0; index < words.length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, sizeBytes);
}

/** Has milliseconds, to detect destinations that store whole seconds. */
export const CREATED_AT: Date = new Date('2023-11-14T22:13:20.123Z');
const CHUNK_BYTES = 65_536;
const POLL_INTERVAL_MS = 20;

/** A body that yields its bytes in chunks. */
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
 * A body that calls `action` before the chunk at `index`, or before its end. The action runs once,
 * even if the body is opened several times (for a checksum, or for a retry).
 */
export function bodyWithAction(
  bytes: Uint8Array,
  index: number | 'end',
  action: () => Promise<void> | void,
): ObjectBody {
  const last = Math.ceil(bytes.byteLength / CHUNK_BYTES) - 1;
  let isDone = false;
  const runOnce = async (): Promise<void> => {
    if (isDone) return;
    isDone = true;
    await action();
  };
  return {
    ...bodyOf(bytes),
    async *open() {
      let count = 0;
      for await (const chunk of bodyOf(bytes).open()) {
        if (index !== 'end' && count === Math.min(index, last)) await runOnce();
        yield chunk;
        count += 1;
      }
      if (index === 'end') await runOnce();
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

/** The bytes of a file, or 'none' if it does not exist. */
export async function readIfPresent(
  replica: Replica,
  file: LTXFileRef,
): Promise<Uint8Array | 'none'> {
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
  assert.fail(`byte ${at} of ${total} is ${actual[at]}, expected ${expected[at]}`);
}

/** The message includes both numbers. */
export function assertAtMost(actual: number, most: number, what: string): void {
  assert(actual <= most, `${what}: ${round(actual)}, expected at most ${round(most)}`);
}

export function assertAtLeast(actual: number, least: number, what: string): void {
  assert(actual >= least, `${what}: ${round(actual)}, expected at least ${round(least)}`);
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

/** For example "0/0000000000000001-0000000000000001". */
export function names(files: readonly LTXFileRef[]): string[] {
  return files.map((file) => `${file.level}/${toHex(file.minTXID)}-${toHex(file.maxTXID)}`);
}

function toHex(txid: bigint): string {
  return txid.toString(16).padStart(16, '0');
}

/** Checks that `work` rejects with one of the error codes. */
export async function rejectsWith(
  work: Promise<unknown>,
  ...codes: readonly ErrorCode[]
): Promise<void> {
  const error: unknown = await work.then(
    () => new Error(`resolved, expected ${codes.join(' or ')}`),
    (reason: unknown) => reason,
  );
  if (isError(error) && codes.includes(error.code)) return;
  throw error;
}

/** Repeats `check` until it passes, for at most `timeoutMs`. */
export async function eventually(timeoutMs: number, check: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(POLL_INTERVAL_MS);
    }
  }
}

/** Runs `work` for each item, 16 at a time. */
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
