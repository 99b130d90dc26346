import {
  defineBackend,
  ReplicationError,
  storeDestination,
  type Backend,
  type ObjectStore,
  type Secret,
} from '@sluice/core/backend';
import { endpoint, secret, text } from '@sluice/core/backend/config';
import { z } from 'zod';

import { codeOf } from './errors.ts';

export interface HTTPConfig {
  readonly endpoint: string;
  readonly token?: Secret | undefined;
}

export const backend: Backend<HTTPConfig> = defineBackend({
  contract: 1,
  scheme: 'http',
  schema: z.strictObject({
    endpoint: endpoint('the server', { example: 'https://files.example.com' }),
    token: secret('sent with each request').optional(),
    path: text('where the files of this database lie', { example: 'app' }),
  }),
  describe: (config, path) => ({ target: `${config.endpoint}/${path}` }),
  fromURL: (url) => ({
    endpoint: url.origin,
    path: url.pathname.slice(1),
    ...Object.fromEntries(url.searchParams),
  }),
  connect: async (config) => storeDestination(httpStore(config)),
});

function httpStore({ endpoint, token }: HTTPConfig): ObjectStore {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` };
  const send = async (method: string, key: string, more: RequestInit): Promise<Response> => {
    const response = await fetch(new URL(key, endpoint), { method, headers, ...more });
    if (response.ok || (response.status === 404 && method !== 'PUT')) return response;
    await response.body?.cancel();
    const message = `${method} ${key} at ${endpoint}: the server answered ${response.status}`;
    throw new ReplicationError(codeOf(response.status), message, { status: response.status });
  };
  return {
    name: endpoint,
    codeOf: () => 'REPLICA_UNAVAILABLE', // what fetch itself throws is the network's fault
    async put(key, body, signal) {
      const stream = ReadableStream.from(body.open());
      const response = await send('PUT', key, { body: stream, duplex: 'half', signal });
      return { modifiedAt: new Date(response.headers.get('date') ?? Date.now()) };
    },
    async get(key, signal) {
      const response = await send('GET', key, { signal });
      const sizeBytes = Number(response.headers.get('content-length'));
      if (response.status !== 404) return { sizeBytes, body: bodyOf(response) };
      await response.body?.cancel();
      return undefined;
    },
    async *list(prefix, signal) {
      const response = await send('GET', `/?prefix=${encodeURIComponent(prefix)}`, { signal });
      for (const [key, sizeBytes, time] of (await response.json()) as [string, number, string][]) {
        yield { key, sizeBytes, modifiedAt: new Date(time) };
      }
    },
    async delete(key, signal) {
      await (await send('DELETE', key, { signal })).body?.cancel();
    },
  };
}

/** Holds the response as long as it is read: fetch cancels the body of one that nobody holds. */
async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
  if (response.body !== null) yield* response.body;
}
