import { connect as connectTCP, type Socket } from 'node:net';

import {
  checked,
  defineBackend,
  readBytes,
  ReplicationError,
  type Backend,
  type CallOptions,
  type ObjectBody,
  type ObjectInfo,
  type OpenedObject,
  type ReplicaClient,
} from '@sluice/core/backend';
import { integer, text } from '@sluice/core/backend/config';
import { z } from 'zod';

/** Values are kept in memory, at both ends. */
const VALUE_SIZE_MAX = 16 * 1024 * 1024;

export interface KVConfig {
  readonly host: string;
  readonly port: number;
}

export const backend: Backend<KVConfig> = defineBackend({
  contract: 1,
  scheme: 'kv',
  schema: z.strictObject({
    host: text('the server', { example: 'kv.example.com' }),
    port: integer('its port', { min: 1, max: 65_535 }).prefault(7_070),
    path: text('the folder of this database', { example: 'app' }),
  }),
  describe: ({ host, port }, path) => ({ target: `kv://${host}:${port}/${path}` }),
  fromURL: (url) => ({
    host: url.hostname,
    port: url.port || undefined,
    path: url.pathname.slice(1),
  }),
  connect: async (config) => checked(new KVClient(config)),
});

class KVClient implements ReplicaClient {
  readonly name: string;
  readonly capabilities = { sizeMax: VALUE_SIZE_MAX };
  readonly #config: KVConfig;

  constructor(config: KVConfig) {
    this.name = `kv://${config.host}:${config.port}`;
    this.#config = config;
  }

  async *list(prefix: string, { signal }: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    const { bytes } = await this.#call({ method: 'list', key: prefix }, signal);
    const listed = JSON.parse(bytes.toString()) as [string, number, number][];
    for (const [key, sizeBytes, time] of listed) {
      yield { key, sizeBytes, modifiedAt: new Date(time) };
    }
  }

  async get(key: string, { signal }: CallOptions = {}): Promise<OpenedObject> {
    const { head, bytes } = await this.#call({ method: 'get', key }, signal);
    if (head.missing === true) {
      throw new ReplicationError('REPLICA_NOT_FOUND', `get ${key} at ${this.name}: not found`);
    }
    return { sizeBytes: head.size, body: inChunks(bytes) };
  }

  async put(key: string, body: ObjectBody, { signal }: CallOptions = {}): Promise<ObjectInfo> {
    const bytes = await readBytes(body.open(), VALUE_SIZE_MAX);
    const { head } = await this.#call({ method: 'put', key }, signal, bytes);
    const modifiedAt = new Date(head.time ?? Date.now());
    return { key, sizeBytes: body.sizeBytes, modifiedAt };
  }

  async delete(keys: readonly string[], { signal }: CallOptions = {}): Promise<void> {
    for (const key of keys) await this.#call({ method: 'delete', key }, signal);
  }

  async close(): Promise<void> {} // each call opens its own connection

  async #call(
    request: Request,
    signal: AbortSignal | undefined,
    bytes: Uint8Array = new Uint8Array(),
  ): Promise<Answer> {
    signal?.throwIfAborted();
    const socket = connectTCP(this.#config);
    const stop = (): unknown => socket.destroy(signal?.reason as Error);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const head = `${JSON.stringify({ ...request, size: bytes.byteLength })}\n`;
      socket.write(Buffer.concat([Buffer.from(head), bytes]));
      return await readAnswer(socket);
    } catch (cause) {
      const message = `${request.method} ${request.key} at ${this.name}: ${String(cause)}`;
      throw new ReplicationError('REPLICA_UNAVAILABLE', message, { cause });
    } finally {
      signal?.removeEventListener('abort', stop);
      socket.destroy();
    }
  }
}

interface Request {
  readonly method: 'put' | 'get' | 'list' | 'delete';
  readonly key: string;
}

interface Answer {
  readonly head: { readonly size: number; readonly time?: number; readonly missing?: boolean };
  readonly bytes: Buffer;
}

async function readAnswer(socket: Socket): Promise<Answer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  let expected: number | undefined;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    sizeBytes += chunk.byteLength;
    if (expected === undefined) {
      const start = Buffer.concat(chunks);
      const length = start.indexOf(10) + 1;
      if (length > 0)
        expected = length + (JSON.parse(start.toString('utf8', 0, length)) as Answer['head']).size;
    }
    if (sizeBytes === expected) break;
  }
  const all = Buffer.concat(chunks);
  if (sizeBytes !== expected) throw new Error('the connection ended before the answer');
  const length = all.indexOf(10) + 1;
  const head = JSON.parse(all.toString('utf8', 0, length)) as Answer['head'];
  return { head, bytes: all.subarray(length) };
}

async function* inChunks(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += 65_536) {
    yield bytes.subarray(offset, offset + 65_536);
  }
}
