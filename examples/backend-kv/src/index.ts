import { connect as connectTCP, type Socket } from 'node:net';

import {
  defineBackend,
  readBytes,
  storeDestination,
  type Backend,
  type ObjectStore,
} from '@sluice/core/backend';
import { integer, text } from '@sluice/core/backend/config';
import { z } from 'zod';

/** Values are held whole in memory, at both ends. */
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
    path: text('where the files of this database lie', { example: 'app' }),
  }),
  describe: ({ host, port }, path) => ({ target: `kv://${host}:${port}/${path}` }),
  fromURL: (url) => ({
    host: url.hostname,
    port: url.port || undefined,
    path: url.pathname.slice(1),
  }),
  connect: async (config) => storeDestination(keyValueStore(config)),
});

function keyValueStore(config: KVConfig): ObjectStore {
  const call = async (
    signal: AbortSignal,
    request: Request,
    bytes?: Uint8Array,
  ): Promise<Answer> => {
    signal.throwIfAborted();
    const socket = connectTCP(config);
    const stop = (): unknown => socket.destroy(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    try {
      const size = bytes?.byteLength ?? 0;
      socket.write(
        Buffer.concat([
          Buffer.from(`${JSON.stringify({ ...request, size })}\n`),
          bytes ?? new Uint8Array(),
        ]),
      );
      return await readAnswer(socket);
    } finally {
      signal.removeEventListener('abort', stop);
      socket.destroy();
    }
  };
  return {
    name: `kv://${config.host}:${config.port}`,
    sizeMax: VALUE_SIZE_MAX,
    codeOf: () => 'REPLICA_UNAVAILABLE',
    async put(key, body, signal) {
      const bytes = await readBytes(body.open(), VALUE_SIZE_MAX);
      const { head } = await call(signal, { method: 'put', key }, bytes);
      return { modifiedAt: new Date(head.time ?? Date.now()) };
    },
    async get(key, signal) {
      const { head, bytes } = await call(signal, { method: 'get', key });
      return head.missing === true ? undefined : { sizeBytes: head.size, body: inChunks(bytes) };
    },
    async *list(prefix, signal) {
      const { bytes } = await call(signal, { method: 'list', key: prefix });
      for (const [key, sizeBytes, time] of JSON.parse(bytes.toString()) as [
        string,
        number,
        number,
      ][]) {
        yield { key, sizeBytes, modifiedAt: new Date(time) };
      }
    },
    async delete(key, signal) {
      await call(signal, { method: 'delete', key });
    },
  };
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
  let wanted: number | undefined;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    sizeBytes += chunk.byteLength;
    if (wanted === undefined) {
      const start = Buffer.concat(chunks);
      const length = start.indexOf(10) + 1;
      if (length > 0)
        wanted = length + (JSON.parse(start.toString('utf8', 0, length)) as Answer['head']).size;
    }
    if (sizeBytes === wanted) break;
  }
  const all = Buffer.concat(chunks);
  if (sizeBytes !== wanted) throw new Error('the connection ended before the answer');
  const length = all.indexOf(10) + 1;
  const head = JSON.parse(all.toString('utf8', 0, length)) as Answer['head'];
  return { head, bytes: all.subarray(length) };
}

async function* inChunks(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += 65_536) {
    yield bytes.subarray(offset, offset + 65_536);
  }
}
