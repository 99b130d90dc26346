/**
 * Requests to one bucket. They go through the SDK's authenticated client, as those of the SDK's own
 * resumable uploads do. Its methods for objects cannot be aborted and leave their sockets open, in
 * a pool of the whole process and without a limit: none of that would keep our promises.
 */

import type { Agent } from 'node:http';
import type { Readable } from 'node:stream';
import type { Storage } from '@google-cloud/storage';
import { readBytes, type Logger, type ReplicationError } from '@sluice/core/backend';
import { PartMemory, Requests, type OpenedStream } from '@sluice/core/backend/http';
import {
  httpAgent,
  isRedirect,
  ForeignAnswerError,
  type RequestOptions,
  type WhenAborted,
} from '@sluice/core/backend/http';
import type { GCSConfig } from './config.ts';
import { isForeignRefusal, refusalToError, thrownToError, type Refusal } from './errors.ts';

/** Parts in memory, for all uploads of a destination together. */
const PARTS_AT_ONCE = 4;
/** Of an answer that is not an object's bytes: a page of a listing is about 1 MB. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export interface Request {
  /** Below the endpoint, or a whole URL. */
  readonly url: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly params?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly data?: Uint8Array | string;
  /** What was done, to what: for messages. */
  readonly what: string;
  /** Default 'object'. */
  readonly about?: Refusal['about'];
  readonly whenAborted?: WhenAborted;
  readonly signal: AbortSignal | undefined;
}

interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
}

export interface Opened extends Answer {
  readonly stream: Readable;
}

/** An answer that has been read to its end, so that its socket serves the next request. */
export interface Read extends Answer {
  readonly text: string;
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
  readonly requests: Requests;
  /** Of files that are one request. They do not wait for what goes up in parts. */
  readonly memory: PartMemory;
  /** Of parts: four of the configured size, or one of the largest. */
  readonly sessionMemory: PartMemory;
  readonly #storage: Storage;
  readonly #agent: Agent;

  constructor(config: GCSConfig, storage: Storage, logger: Logger) {
    this.name = `gs://${config.bucket}`;
    this.config = config;
    this.logger = logger;
    this.requests = new Requests(this.name);
    this.memory = new PartMemory(PARTS_AT_ONCE * config.partSizeBytes);
    this.sessionMemory = new PartMemory(PARTS_AT_ONCE * config.partSizeBytes);
    this.#storage = storage;
    this.#agent = httpAgent(storage.apiEndpoint.startsWith('http:') ? 'http:' : 'https:');
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
  async send(call: Request, ...statuses: readonly number[]): Promise<Read> {
    return await this.requests.request(optionsOf(call), async (cut) => {
      const { stream, ...answer } = await this.#open(call, statuses, cut);
      return { ...answer, text: await readText(stream, cut) };
    });
  }

  /** The same, whose bytes are left to be read. */
  async open(
    call: Request,
    ...statuses: readonly number[]
  ): Promise<Opened & { readonly hold: OpenedStream['hold'] }> {
    return await this.requests.open(optionsOf(call), (cut) => this.#open(call, statuses, cut));
  }

  /** An answer in JSON. Whatever else came must not be taken for a listing of nothing. */
  read(answer: Read, { what }: Pick<Request, 'what'>): unknown {
    try {
      return JSON.parse(answer.text) as unknown;
    } catch {
      throw foreign(answer, what, 'no JSON');
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #open(call: Request, statuses: readonly number[], cut: AbortSignal): Promise<Opened> {
    const { url, method = 'GET', params = {}, headers: given, data, about = 'object' } = call;
    const query = Object.entries(params).filter((entry) => entry[1] !== undefined);
    const answer = await this.#storage.authClient.request<Readable>({
      url: url.startsWith('/') ? this.endpoint + url : url,
      method,
      params: Object.fromEntries(query),
      headers: { 'user-agent': 'sluice', ...given },
      ...(data !== undefined && { data }),
      responseType: 'stream',
      validateStatus: () => true,
      redirect: 'manual', // 308 says that an upload goes on
      retry: false, // core retries, once for all backends
      agent: this.#agent,
      signal: cut,
    });
    const { status, headers, data: stream } = answer;
    const location = headers.get('location');
    // Google's 308 says that an upload goes on; one that leads elsewhere is somebody else's.
    const isElsewhere = isRedirect(status) && location !== null;
    if (statuses.includes(status) && !isElsewhere) return { status, headers, stream };
    const body = await readText(stream, cut);
    if (isElsewhere || isForeignRefusal({ status, body, about })) {
      throw foreign({ status, headers, text: body }, call.what, '');
    }
    throw refusalToError(
      { status, body, retryAfter: headers.get('retry-after'), date: headers.get('date'), about },
      call.what,
    );
  }
}

/** An answer that is not Google's. `lacks` says what Google's would have. */
export function foreign(
  { status, headers, text }: Answer & { readonly text?: string },
  what: string,
  lacks: string,
): ReplicationError {
  const contentType = headers.get('content-type');
  const location = headers.get('location');
  const error = new ForeignAnswerError({ status, text, contentType, location, lacks });
  return thrownToError(error, what);
}

function optionsOf({ what, signal, whenAborted = 'cut' }: Request): RequestOptions {
  return { signals: [signal], whenAborted, toError: (error) => thrownToError(error, what) };
}

async function readText(stream: Readable, cut: AbortSignal): Promise<string> {
  const end = (): void => void stream.destroy();
  cut.addEventListener('abort', end, { once: true });
  if (cut.aborted) end();
  try {
    const bytes = await readBytes(stream as AsyncIterable<Uint8Array>, ANSWER_BYTES_MAX);
    return new TextDecoder().decode(bytes);
  } catch (error) {
    stream.destroy();
    throw error;
  } finally {
    cut.removeEventListener('abort', end);
  }
}
