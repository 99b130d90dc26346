/** Common parts of the tests of the wrappers. */

import { expect } from 'vitest';

import { ReplicationError, type ErrorCode, type ErrorDetails } from '../../src/error.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { retryPolicy, type RetryEvent, type RetryPolicy } from '../../src/store/policy/attempts.ts';
import { Replica, type ReplicaFiles } from '../../src/replica/replica.ts';
import type {
  GetOptions,
  ObjectBody,
  OpenedObject,
  ReplicaClient,
} from '../../src/store/client.ts';
import { keyOf, type LTXFileRef } from '../../src/store/layout.ts';
import { memoryClient, type MemoryOptions, MemoryStore } from '../../src/store/memory.ts';
import { FakeClock } from './fake-clock.ts';

export const CREATED_AT: Date = new Date(1_700_000_000_123);

export function ref(level: number, minTXID: number, maxTXID = minTXID): LTXFileRef {
  return { level, minTXID: toTXID(minTXID), maxTXID: toTXID(maxTXID) };
}

/** The key of an LTX file at the root "db". */
export function at(level: number, minTXID: number, maxTXID = minTXID): string {
  return keyOf('tree', 'db', ref(level, minTXID, maxTXID));
}

export function bytesOf(sizeBytes: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, index) => (index * 31 + seed * 7) & 0xff);
}

export function bodyOf(bytes: Uint8Array, chunkBytes = 1_000): ObjectBody {
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

export interface Memory {
  readonly store: MemoryStore;
  readonly client: ReplicaClient;
  /** At the root "db". */
  readonly replica: Replica;
}

export function memory(options: MemoryOptions = {}): Memory {
  const store = new MemoryStore();
  const client = memoryClient({ chunkBytes: 1_000, ...options, store });
  return { store, client, replica: new Replica(client, 'db') };
}

export function error(code: ErrorCode, details?: ErrorDetails): ReplicationError {
  return new ReplicationError(code, `a fault of the test: ${code}`, details);
}

export interface FakePolicy {
  readonly clock: FakeClock;
  readonly events: RetryEvent[];
  readonly policy: RetryPolicy;
}

export function fakePolicy(options: Partial<RetryPolicy> = {}): FakePolicy {
  const clock = new FakeClock();
  const events: RetryEvent[] = [];
  const onRetry = (event: RetryEvent): void => void events.push(event);
  return { clock, events, policy: retryPolicy({ clock, onRetry, random: () => 1, ...options }) };
}

export function withCode(code: ErrorCode): unknown {
  return expect.objectContaining({ code });
}

export async function readAll(
  replica: Pick<ReplicaFiles, 'openFile'>,
  file: LTXFileRef,
  options: Parameters<ReplicaFiles['openFile']>[1] = {},
): Promise<Uint8Array> {
  return await bytesIn(replica.openFile(file, options));
}

export async function readKey(
  client: Pick<ReplicaClient, 'get'>,
  key: string,
  options?: GetOptions,
): Promise<Uint8Array> {
  return await bytesIn(client.get(key, options));
}

async function bytesIn(opening: Promise<OpenedObject>): Promise<Uint8Array> {
  const { body } = await opening;
  return Uint8Array.from(Buffer.concat(await Array.fromAsync(body)));
}

/** A signal that counts its listeners. */
export function countListeners(): { signal: AbortSignal; count: () => number } {
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...given: Parameters<typeof add>) => {
    listeners += 1;
    add(...given);
  };
  signal.removeEventListener = (...given: Parameters<typeof remove>) => {
    listeners -= 1;
    remove(...given);
  };
  return { signal, count: () => listeners };
}
