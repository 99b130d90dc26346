/**
 * Requests to one bucket. They go through the SDK's authenticated client, as those of the SDK's own
 * resumable uploads do. Its methods for objects cannot be aborted and leave their sockets open, in
 * a pool of the whole process and without a limit: none of that would keep our promises.
 */

import { Agent as HTTPAgent } from 'node:http';
import { Agent as HTTPSAgent } from 'node:https';
import type { Readable } from 'node:stream';
import type { Storage } from '@google-cloud/storage';
import {
  Budget,
  readBytes,
  ReplicationError,
  Work,
  type Logger,
  type WhenAborted,
} from '@sluice/core/backend';
import type { GCSConfig } from './config.ts';
import { refusalToError, thrownToError, type Refusal } from './errors.ts';
import { Sockets, SOCKETS_MAX, type Hold } from './sockets.ts';

/** Parts in memory, for all uploads of a destination together. */
const PARTS_AT_ONCE = 4;
/** Nothing sent and nothing received for so long: the connection is dropped. */
const SILENCE_MS_MAX = 60_000;
/** Of an answer that is not an object's bytes: a page of a listing is about 1 MB. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export interface Call {
  /** Below the endpoint, or a whole URL. */
  readonly url: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly params?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly data?: Uint8Array | string;
  /** What was done, to what: for messages. */
  readonly what: string;
  readonly about?: Refusal['about'];
  readonly whenAborted?: WhenAborted;
  readonly signal: AbortSignal | undefined;
}

/** An answer whose body has not been read. Whoever has it releases its hold. */
export interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: Readable;
  readonly hold: Hold;
}

interface Received {
  readonly status: number;
  readonly headers: Answer['headers'];
  readonly data: Readable;
}

/** Where Litestream keeps the time of a file: in the object's metadata. */
export const TIMESTAMP = 'litestream-timestamp';

/** An object as answers of JSON tell of it. 64-bit numbers are text. */
export interface ObjectResource {
  readonly name?: string;
  readonly size?: string;
  readonly generation?: string;
  readonly timeCreated?: string;
  readonly md5Hash?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export class Bucket {
  readonly name: string;
  readonly config: GCSConfig;
  readonly logger: Logger;
  readonly work: Work;
  /** Of files that are one request. They do not wait for what goes up in parts. */
  readonly budget: Budget;
  /** Of parts: four of the configured size, or one of the largest. */
  readonly sessionBudget: Budget;
  readonly #storage: Storage;
  readonly #agent: HTTPAgent;
  readonly #sockets = new Sockets();

  constructor(config: GCSConfig, storage: Storage, logger: Logger) {
    this.name = `gs://${config.bucket}`;
    this.config = config;
    this.logger = logger;
    this.work = new Work(this.name);
    this.budget = new Budget(PARTS_AT_ONCE * config.partSizeBytes);
    this.sessionBudget = new Budget(PARTS_AT_ONCE * config.partSizeBytes);
    this.#storage = storage;
    this.#agent = makeAgent(storage.apiEndpoint);
  }

  get endpoint(): string {
    return this.#storage.apiEndpoint;
  }

  /** "/storage/v1/b/bucket/o", with the key behind it. */
  pathOf(key?: string): string {
    const objects = `/storage/v1/b/${encodeURIComponent(this.config.bucket)}/o`;
    return key === undefined ? objects : `${objects}/${encodeURIComponent(key)}`;
  }

  /** Resolves with an answer of one of these statuses; any other is an error with a code. */
  async open(call: Call, ...statuses: readonly number[]): Promise<Answer> {
    const { what, signal, whenAborted = 'cut', about = 'object' } = call;
    const toError = (error: unknown): ReplicationError => thrownToError(error, what);
    const hold = await this.#sockets.take([signal, this.work.closing]);
    try {
      const options = { signals: [signal], whenAborted, toError };
      const {
        status,
        headers,
        data: body,
      } = await this.work.request(options, (connection) => this.#send(call, connection));
      if (statuses.includes(status)) return { status, headers, body, hold };
      const text = await this.#readText(body, call);
      const retryAfter = headers.get('retry-after');
      throw refusalToError({ status, body: text, retryAfter, about }, what);
    } catch (error) {
      hold.release();
      throw error;
    }
  }

  /** The same, with what the answer says in JSON. */
  async call<Result>(call: Call, ...statuses: readonly number[]): Promise<Result> {
    return await this.read<Result>(await this.open(call, ...statuses), call);
  }

  /** What an answer says in JSON; with that the answer is over. */
  async read<Result>(answer: Answer, call: Call): Promise<Result> {
    const text = await this.drain(answer, call);
    try {
      return JSON.parse(text === '' ? '{}' : text) as Result;
    } catch (cause) {
      // A proxy's page, say: it must not be taken for a listing of nothing.
      const message = `${call.what}: the answer is no JSON: ${text.slice(0, 100)}`;
      throw new ReplicationError('REPLICA_UNAVAILABLE', message, { cause });
    }
  }

  /** Reads an answer to its end, so that its socket serves the next request. */
  async drain({ body, hold }: Answer, call: Call): Promise<string> {
    try {
      return await this.#readText(body, call);
    } finally {
      hold.release();
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #send(call: Call, connection: AbortSignal): Promise<Received> {
    const { url, method = 'GET', params = {}, headers, data } = call;
    const query = Object.entries(params).filter((entry) => entry[1] !== undefined);
    return await this.#storage.authClient.request<Readable>({
      url: url.startsWith('/') ? this.endpoint + url : url,
      method,
      params: Object.fromEntries(query),
      headers: { 'user-agent': 'sluice', ...headers },
      ...(data !== undefined && { data }),
      responseType: 'stream',
      validateStatus: () => true,
      redirect: 'manual', // 308 says that an upload goes on
      retry: false, // core retries, once for all backends
      agent: this.#agent,
      signal: connection,
    });
  }

  async #readText(body: Readable, { what, signal }: Call): Promise<string> {
    const signals = [signal, this.work.closing];
    const end = (): void => void body.destroy();
    for (const each of signals) each?.addEventListener('abort', end, { once: true });
    try {
      this.work.check(signal);
      const bytes = await readBytes(body as AsyncIterable<Uint8Array>, ANSWER_BYTES_MAX);
      return new TextDecoder().decode(bytes);
    } catch (error) {
      body.destroy();
      this.work.check(signal);
      throw thrownToError(error, what);
    } finally {
      for (const each of signals) each?.removeEventListener('abort', end);
    }
  }
}

function makeAgent(endpoint: string): HTTPAgent {
  const options = { keepAlive: true, maxSockets: SOCKETS_MAX, timeout: SILENCE_MS_MAX };
  const agent = endpoint.startsWith('http:') ? new HTTPAgent(options) : new HTTPSAgent(options);
  // The agent tells a request of the silence, and leaves it at that.
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (...given) => {
    const socket = connect(...given);
    socket?.once('timeout', () => {
      const error = new Error(`nothing was sent or received for ${SILENCE_MS_MAX} ms`);
      socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
    });
    return socket;
  };
  return agent;
}
