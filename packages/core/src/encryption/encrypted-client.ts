/**
 * A client whose LTX files are encrypted: each is one age file under its usual name. Names, sizes and times
 * stay visible. Named objects (`lock.json`, certificates) have no pages, and stay as they are.
 *
 * Listings and writes give the sizes of the stored objects. A read gives the decrypted bytes and their size, and the
 * size of the stored object beside it. An object that is not an age file is returned as it is: a destination may
 * have been encrypted later, and other programs encrypt other files (Litestream 0.3).
 *
 * Parts of an object cannot be decrypted alone. So no ranges are claimed: a range is cut out of a read from the
 * start, which stops early.
 */

import { randomUUID } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { systemFiles } from '../file-system.ts';
import { readBytes } from '../store/body.ts';
import type {
  ByteRange,
  Capabilities,
  CallOptions,
  DeleteOptions,
  GetOptions,
  Layout,
  ListOptions,
  ObjectBody,
  ObjectInfo,
  OpenedObject,
  PutOptions,
  ReplicaClient,
} from '../store/client.ts';
import { ReplicationError } from '../error.ts';
import { AGE_START, type Encryption, isAge } from './age.ts';
import { END_BYTES, seal, SealedBody } from './sealed-body.ts';

/** Wraps a client that has all policies. */
export class EncryptedClient implements ReplicaClient {
  readonly name: string;
  readonly layout?: Layout | undefined;
  readonly capabilities: Capabilities;
  readonly encryption: Encryption;
  readonly copy?: NonNullable<ReplicaClient['copy']>;
  /** Whether the stored objects are files of this machine. */
  readonly isLocal: boolean;
  readonly #stored: ReplicaClient;
  readonly #closing = new AbortController();

  constructor(stored: ReplicaClient, encryption: Encryption) {
    const { ranges: _, ...capabilities } = stored.capabilities;
    this.name = stored.name;
    this.layout = stored.layout;
    this.capabilities = capabilities;
    this.encryption = encryption;
    this.isLocal = stored.openLocal !== undefined;
    this.#stored = stored;
    const copy = stored.copy?.bind(stored);
    if (copy !== undefined) this.copy = copy;
  }

  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo> {
    return this.#stored.list(prefix, options);
  }

  async get(key: string, { range, ...options }: GetOptions = {}): Promise<OpenedObject> {
    const opened = await this.#stored.get(key, options);
    const chunks = opened.body[Symbol.asyncIterator]();
    const free = async (): Promise<void> => void (await chunks.return?.());
    try {
      const start = await takeStart(chunks);
      const bytes = following(start, chunks);
      if (!isAge(start)) return { ...opened, body: freeing(cut(bytes, range), free) };
      const name = `${key} at ${this.name}`;
      const { sizeBytes, body } = await this.encryption.decrypt(
        ...([name, bytes, opened.sizeBytes, options.signal] as const),
      );
      if (range !== undefined && range.start > sizeBytes) {
        throw new ReplicationError(
          'REPLICA_RANGE',
          `read ${name}: byte ${range.start} of ${sizeBytes}; list again`,
        );
      }
      const decrypted = freeing(cut(body, range), free);
      return { ...opened, sizeBytes, storedBytes: opened.sizeBytes, body: decrypted };
    } catch (error) {
      await free();
      throw error;
    }
  }

  /** A body with a time is an LTX file, and is encrypted unless it was before. */
  async put(key: string, body: ObjectBody, options?: PutOptions): Promise<ObjectInfo> {
    if (body instanceof SealedBody || body.createdAt === undefined) {
      return await this.#stored.put(key, body, options);
    }
    const signals = [options?.signal, this.#closing.signal];
    for (const signal of signals) signal?.throwIfAborted();
    const file = path.join(os.tmpdir(), `sluice-${randomUUID()}.age`);
    const place = { files: systemFiles, file };
    const sealed = await seal(this.encryption, body, place, ...signals);
    try {
      return await this.#stored.put(key, sealed, options);
    } finally {
      await sealed.discard();
    }
  }

  async delete(keys: readonly string[], options?: DeleteOptions): Promise<void> {
    await this.#stored.delete(keys, options);
  }

  /** The last bytes of a stored object, as 16 hex digits: they identify it without an identity. */
  async readEnd(key: string, sizeBytes: number, options?: CallOptions): Promise<string> {
    const start = Math.max(0, sizeBytes - END_BYTES);
    const { body } = await this.#stored.get(key, { ...options, range: { start, end: sizeBytes } });
    return Buffer.from(await readBytes(body, END_BYTES)).toString('hex');
  }

  /** Whether a stored object is an age file. */
  async isEncrypted(key: string, options?: CallOptions): Promise<boolean> {
    const range = { start: 0, end: AGE_START.length };
    const { body } = await this.#stored.get(key, { ...options, range });
    return isAge(await readBytes(body, AGE_START.length));
  }

  async close(): Promise<void> {
    this.#closing.abort(new ReplicationError('REPLICA_CLOSED', `${this.name} was closed`));
    await this.#stored.close();
  }
}

/** At least as many bytes as tell an age file from others, unless there are fewer. */
async function takeStart(chunks: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let start: Uint8Array = new Uint8Array(0);
  while (start.length < AGE_START.length) {
    const next = await chunks.next();
    if (next.done === true) break;
    start = start.length === 0 ? next.value : Buffer.concat([start, next.value]);
  }
  return start;
}

async function* following(
  start: Uint8Array,
  chunks: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  if (start.length > 0) yield start;
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
    yield next.value;
  }
}

/** A generator that was never started runs no code when it is left. */
function freeing(
  bytes: AsyncGenerator<Uint8Array, void>,
  free: () => Promise<void>,
): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => await bytes.next(),
      return: async () => {
        await bytes.return();
        await free();
        return { done: true, value: undefined };
      },
    }),
  };
}

/** The bytes of a range. Reads no further than its end. */
async function* cut(
  body: AsyncIterable<Uint8Array>,
  { start, end = Infinity }: ByteRange = { start: 0 },
): AsyncGenerator<Uint8Array, void> {
  let at = 0;
  for await (const chunk of body) {
    const wanted = chunk.subarray(Math.max(0, start - at), Math.max(0, end - at));
    at += chunk.length;
    if (wanted.length > 0) yield wanted;
    if (at >= end) return;
  }
}
