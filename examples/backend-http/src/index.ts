import {
  checked,
  defineBackend,
  ReplicationError,
  type Backend,
  type CallOptions,
  type ErrorCode,
  type ObjectBody,
  type ObjectInfo,
  type OpenedObject,
  type ReplicaClient,
  type Secret,
} from '@sluice/core/backend';
import { endpoint, secret, text } from '@sluice/core/backend/config';
import { z } from 'zod';

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
    path: text('the folder of this database', { example: 'app' }),
  }),
  describe: (config, path) => ({ target: `${config.endpoint}/${path}` }),
  fromURL: (url) => ({
    endpoint: url.origin,
    path: url.pathname.slice(1),
    ...Object.fromEntries(url.searchParams),
  }),
  connect: async (config) => checked(new HTTPClient(config)),
});

class HTTPClient implements ReplicaClient {
  readonly name: string;
  readonly capabilities = {};
  readonly #headers: Readonly<Record<string, string>>;

  constructor({ endpoint, token }: HTTPConfig) {
    this.name = endpoint;
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` };
  }

  async *list(prefix: string, { signal }: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    const response = await this.#send('GET', `?prefix=${encodeURIComponent(prefix)}`, { signal });
    for (const [key, sizeBytes, time] of (await response.json()) as [string, number, number][]) {
      yield { key, sizeBytes, modifiedAt: new Date(time) };
    }
  }

  async get(key: string, { signal }: CallOptions = {}): Promise<OpenedObject> {
    const response = await this.#send('GET', key, { signal });
    return { sizeBytes: Number(response.headers.get('content-length')), body: bodyOf(response) };
  }

  async put(key: string, body: ObjectBody, { signal }: CallOptions = {}): Promise<ObjectInfo> {
    const stream = ReadableStream.from(body.open());
    const response = await this.#send('PUT', key, { body: stream, duplex: 'half', signal });
    const modifiedAt = new Date(response.headers.get('date') ?? Date.now());
    return { key, sizeBytes: body.sizeBytes, modifiedAt };
  }

  async delete(keys: readonly string[], { signal }: CallOptions = {}): Promise<void> {
    for (const key of keys) await (await this.#send('DELETE', key, { signal })).body?.cancel();
  }

  async close(): Promise<void> {} // fetch manages its own connections

  async #send(method: string, key: string, more: RequestInit): Promise<Response> {
    const what = `${method} ${key} at ${this.name}`;
    const request = { method, headers: this.#headers, ...more };
    const response = await fetch(new URL(`/${key}`, this.name), request).catch((cause: unknown) => {
      throw new ReplicationError('REPLICA_UNAVAILABLE', `${what}: ${String(cause)}`, { cause });
    });
    if (response.ok) return response;
    await response.body?.cancel();
    const { status } = response;
    throw new ReplicationError(codeOf(status), `${what}: answered ${status}`, { status });
  }
}

/** Keeps a reference to the response while it is read: fetch cancels the body of a collected response. */
async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
  if (response.body !== null) yield* response.body;
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return 'REPLICA_UNAUTHENTICATED';
  if (status === 403) return 'REPLICA_PERMISSION_DENIED';
  if (status === 404) return 'REPLICA_NOT_FOUND';
  if (status === 413) return 'REPLICA_UNSUPPORTED';
  if (status === 429) return 'REPLICA_RATE_LIMITED';
  if (status === 507) return 'REPLICA_FULL';
  return status >= 500 ? 'REPLICA_UNAVAILABLE' : 'REPLICA_UNKNOWN';
}
