/**
 * Requests to one bucket, sent by the SDK's authenticated client, as the SDK's own resumable uploads
 * are. Its methods for objects are not used: they cannot be aborted, and they leave sockets open in an
 * unlimited pool of the whole process.
 */

import type { Agent } from 'node:http';
import type { Readable } from 'node:stream';
import type { Storage } from '@google-cloud/storage';
import {
  readBytes,
  type ConnectContext,
  type Logger,
  type ReplicationError,
} from '@sluice/core/backend';
import {
  httpAgent,
  isRedirect,
  ForeignAnswerError,
  PartMemory,
  Requests,
  type OpenedStream,
  type RequestOptions,
  type WhenAborted,
} from '@sluice/core/backend/http';
import type { GoogleAuthOptions } from 'google-auth-library';
import type { GCSConfig, ServiceAccountKey } from './config.ts';
import { isForeignRefusal, refusalToError, thrownToError, type Refusal } from './errors.ts';

/** Parts in memory at once, for all uploads of a destination together. */
const PARTS_AT_ONCE = 4;
/** Maximum size of a response other than an object's bytes. A page of a listing is about 1 MB. */
const RESPONSE_BYTES_MAX = 16 * 1024 * 1024;

export interface Request {
  /** A path at the endpoint, or a complete URL. */
  readonly url: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly params?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly data?: Uint8Array | string;
  /** The operation, for messages: "write … to gs://b". */
  readonly what: string;
  /** Default 'object'. */
  readonly about?: Refusal['about'];
  readonly whenAborted?: WhenAborted;
  readonly signal: AbortSignal | undefined;
}

interface ResponseHead {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
}

interface OpenedResponse extends ResponseHead {
  readonly stream: Readable;
}

/** A response that was read completely, so that its socket can serve the next request. */
export interface Response extends ResponseHead {
  readonly text: string;
}

/** The metadata in which Litestream stores the time of a file. */
export const TIMESTAMP = 'litestream-timestamp';

/** An object in the JSON API. 64-bit numbers are text. */
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
  /** For files of one request, which do not wait for uploads in parts. */
  readonly memory: PartMemory;
  /** For parts: four of the configured size, or one of 32 MiB. */
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

  /** "/storage/v1/b/bucket/o", or "/storage/v1/b/bucket/o/key". */
  pathOf(key?: string): string {
    const objects = `/storage/v1/b/${encodeURIComponent(this.config.bucket)}/o`;
    return key === undefined ? objects : `${objects}/${encodeURIComponent(key)}`;
  }

  /** Resolves with a response that has one of these statuses; any other is a ReplicationError. */
  async send(call: Request, ...statuses: readonly number[]): Promise<Response> {
    return await this.requests.request(optionsOf(call), async (cut) => {
      const { stream, ...head } = await this.#open(call, statuses, cut);
      return { ...head, text: await readText(stream, cut) };
    });
  }

  /** Like `send`, but the caller reads the body. */
  async open(
    call: Request,
    ...statuses: readonly number[]
  ): Promise<OpenedResponse & { readonly hold: OpenedStream['hold'] }> {
    return await this.requests.open(optionsOf(call), (cut) => this.#open(call, statuses, cut));
  }

  /** Parses a JSON response. Any other is an error: it must not count as an empty listing. */
  read(response: Response, { what }: Pick<Request, 'what'>): unknown {
    try {
      return JSON.parse(response.text) as unknown;
    } catch {
      throw foreign(response, what, 'no JSON');
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #open(
    call: Request,
    statuses: readonly number[],
    cut: AbortSignal,
  ): Promise<OpenedResponse> {
    const { url, method = 'GET', params = {}, headers: given, data, about = 'object' } = call;
    const query = Object.entries(params).filter((entry) => entry[1] !== undefined);
    const response = await this.#storage.authClient.request<Readable>({
      url: url.startsWith('/') ? this.endpoint + url : url,
      method,
      params: Object.fromEntries(query),
      headers: { 'user-agent': 'sluice', ...given },
      ...(data !== undefined && { data }),
      responseType: 'stream',
      validateStatus: () => true,
      redirect: 'manual', // 308 means that an upload continues
      retry: false, // core retries, for all backends
      agent: this.#agent,
      signal: cut,
    });
    const { status, headers, data: stream } = response;
    const location = headers.get('location');
    // Google's 308 has no location; a 308 that redirects is not from Google.
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

/** The error for a response that is not from Google. `lacks` is what Google's would have. */
export function foreign(
  { status, headers, text }: ResponseHead & { readonly text?: string },
  what: string,
  lacks: string,
): ReplicationError {
  const contentType = headers.get('content-type');
  const location = headers.get('location');
  return thrownToError(
    new ForeignAnswerError({ status, text, contentType, location, lacks }),
    what,
  );
}

function optionsOf({ what, signal, whenAborted = 'cut' }: Request): RequestOptions {
  return { signals: [signal], whenAborted, toError: (error) => thrownToError(error, what) };
}

async function readText(stream: Readable, cut: AbortSignal): Promise<string> {
  const stop = (): void => void stream.destroy();
  cut.addEventListener('abort', stop, { once: true });
  if (cut.aborted) stop();
  try {
    const bytes = await readBytes(stream as AsyncIterable<Uint8Array>, RESPONSE_BYTES_MAX);
    return new TextDecoder().decode(bytes);
  } catch (error) {
    stream.destroy();
    throw error;
  } finally {
    cut.removeEventListener('abort', stop);
  }
}

/** A replica only reads and writes objects; it needs neither the project nor ACLs. */
const SCOPES: Readonly<Record<ConnectContext['access'], string>> = {
  read: 'https://www.googleapis.com/auth/devstorage.read_only',
  write: 'https://www.googleapis.com/auth/devstorage.read_write',
};

/** Loads the SDK when the first destination connects, because loading it is slow. */
export async function makeStorage(
  config: GCSConfig,
  access: ConnectContext['access'],
): Promise<Storage> {
  const [{ Storage }, library] = await Promise.all([
    import('@google-cloud/storage'),
    import('google-auth-library'),
  ]);
  const apiEndpoint = config.endpoint ?? emulator();
  const authClient = new library.GoogleAuth(authOf(config, apiEndpoint, SCOPES[access], library));
  return new Storage({
    authClient,
    retryOptions: { autoRetry: false }, // core retries, for all backends
    ...(apiEndpoint !== undefined && { apiEndpoint }),
  });
}

/** The SDK reads this variable too, but other SDKs of Google allow it without a scheme. */
function emulator(): string | undefined {
  const host = process.env['STORAGE_EMULATOR_HOST'];
  if (host === undefined || host === '') return undefined;
  return (/^https?:\/\//.test(host) ? host : `http://${host}`).replace(/\/+$/, '');
}

function authOf(
  { credentials }: GCSConfig,
  endpoint: string | undefined,
  scopes: string,
  { JWT, PassThroughClient }: typeof import('google-auth-library'),
): GoogleAuthOptions {
  if (credentials !== undefined) {
    const key = JSON.parse(credentials.reveal()) as ServiceAccountKey;
    const client = new JWT({
      email: String(key.client_email),
      key: String(key.private_key),
      ...(typeof key.private_key_id === 'string' && { keyId: key.private_key_id }),
      scopes,
    });
    // The key signs each request itself, so no token has to be requested.
    client.useJWTAccessWithScope = true;
    return { authClient: client };
  }
  // An emulator needs no credentials, and must not get any.
  if (endpoint?.startsWith('http:') === true) return { authClient: new PassThroughClient() };
  return { scopes };
}
