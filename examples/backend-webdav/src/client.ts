/** Files on one WebDAV server, with one login. A key is a path below the endpoint. */

import type { Agent } from 'node:http';
import { Readable } from 'node:stream';

import {
  ReplicationError,
  type CallOptions,
  type Capabilities,
  type GetOptions,
  type ListOptions,
  type ObjectBody,
  type ObjectInfo,
  type OpenedObject,
  type PutOptions,
  type ReplicaClient,
  type Secret,
} from '@sluice/core/backend';
import { isLeftover, temporaryPath } from '@sluice/core/backend/folder';
import { httpAgent, rangeHeader, sizeOfContentRange } from '@sluice/core/backend/http';
import { AuthType, createClient, type FileStat, type WebDAVClient as DAV } from 'webdav';

import { attempt, statusOf, toReplicationError } from './requests.ts';

export interface WebDAVConfig {
  readonly endpoint: string;
  readonly user?: string | undefined;
  readonly password?: Secret | undefined;
}

/**
 * Uploads start in a collection of their own. While a file is being written, rclone cannot list its
 * collection: after 5 s it ends the listing early, as if it were complete.
 */
const UPLOADS = '.sluice-uploads/';
/** An open body keeps its socket until it has been read. Core opens a few dozen at most. */
const SOCKETS_MAX = 64;
/** Time for deleting the temporary file of a failed write. */
const CLEAN_UP_MS_MAX = 3_000;

export class WebDAVClient implements ReplicaClient {
  readonly name: string;
  readonly capabilities: Capabilities = { ranges: true, conditions: 'any-size' };
  readonly #agent: Agent;
  readonly #dav: DAV;
  #swept: Promise<void> | undefined;

  constructor({ endpoint, user, password }: WebDAVConfig) {
    this.name = endpoint;
    this.#agent = httpAgent(endpoint.startsWith('https:') ? 'https:' : 'http:');
    this.#agent.maxSockets = SOCKETS_MAX;
    this.#dav = createClient(endpoint, {
      headers: { 'Accept-Encoding': 'identity' }, // so that Content-Length is the size of the file
      httpAgent: this.#agent,
      httpsAgent: this.#agent,
      ...(user === undefined || password === undefined
        ? { authType: AuthType.None }
        : { authType: AuthType.Password, username: user, password: password.reveal() }),
    });
  }

  async *list(prefix: string, { signal }: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    const folders = [parentOf(prefix)];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      const path = toPath(folder);
      const read = (): Promise<FileStat[]> =>
        this.#dav.getDirectoryContents(path, { details: false, ...optional(signal) });
      const entries = await attempt(`list ${prefix}* at ${this.name}`, read).catch(unlessMissing);
      for (const entry of entries ?? []) {
        const key = folder + entry.basename;
        if (entry.type === 'file') {
          if (key.startsWith(prefix)) yield toInfo(key, entry);
        } else if (`${key}/` !== UPLOADS) {
          if (`${key}/`.startsWith(prefix) || prefix.startsWith(`${key}/`)) folders.push(`${key}/`);
        }
      }
    }
  }

  async get(key: string, { range, signal }: GetOptions = {}): Promise<OpenedObject> {
    const what = `open ${key} at ${this.name}`;
    const response = await attempt(what, () =>
      this.#dav.customRequest(toPath(key), {
        method: 'GET',
        ...(range !== undefined && { headers: { Range: rangeHeader(range) } }),
        ...optional(signal),
      }),
    );
    const { headers, status } = response;
    const stream = (response as unknown as { body: Readable }).body; // that of node-fetch
    const length = headers.get('content-length');
    const time = headers.get('last-modified');
    if (length === null) {
      stream.destroy();
      const { type } = await this.#stat(what, key, signal);
      if (type !== 'file') throw new ReplicationError('REPLICA_NOT_FOUND', `${what}: a collection`);
      throw new ReplicationError('REPLICA_UNSUPPORTED', `${what}: no Content-Length`, { status });
    }
    // rclone responds 200 to any range of an empty file.
    if (range !== undefined && status !== 206 && length !== '0') {
      stream.destroy();
      const message = `${what}: the server ignores ranges`;
      throw new ReplicationError('REPLICA_UNSUPPORTED', message, { status });
    }
    return {
      sizeBytes: sizeOfContentRange(headers.get('content-range')) ?? Number(length),
      modifiedAt: time === null ? undefined : new Date(time),
      version: versionOf(headers.get('etag')),
      body: bytesOf(stream, what),
    };
  }

  /** Writes a temporary file, checks its size and moves it, so that no reader sees part of a file. */
  async put(
    key: string,
    body: ObjectBody,
    { condition, signal }: PutOptions = {},
  ): Promise<ObjectInfo> {
    const what = `write ${key} to ${this.name}`;
    const temp = temporaryPath(UPLOADS);
    await (this.#swept ??= this.#sweep().catch(() => undefined)); // the next client tries again
    try {
      await this.#into(what, temp, () =>
        this.#dav.putFileContents(toPath(temp), Readable.from(body.open()), {
          headers: { 'Content-Length': String(body.sizeBytes) },
          ...optional(signal),
        }),
      );
      const stat = await this.#stat(what, temp, signal);
      if (stat.size !== body.sizeBytes) {
        const message = `${what}: ${stat.size} of ${body.sizeBytes} bytes were stored`;
        throw new ReplicationError('REPLICA_TRUNCATED', message);
      }
      signal?.throwIfAborted();
      // Without the signal: the server completes a MOVE even if we stop waiting for it.
      await this.#into(what, key, () =>
        this.#dav.moveFile(toPath(temp), toPath(key), { overwrite: condition !== 'if-absent' }),
      );
      return toInfo(key, stat);
    } catch (error) {
      const timeout = AbortSignal.timeout(CLEAN_UP_MS_MAX);
      await this.#remove(what, temp, timeout).catch(() => undefined);
      throw error;
    }
  }

  async delete(keys: readonly string[], { signal }: CallOptions = {}): Promise<void> {
    for (const key of keys) {
      const what = `delete ${key} at ${this.name}`;
      // rclone responds 405 or 500 while another call deletes the file.
      await attempt(what, () => this.#remove(what, key, signal), [405, 500]);
    }
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  /** Deletes temporary files of writes that were killed. */
  async #sweep(): Promise<void> {
    for await (const { key, modifiedAt } of this.list(UPLOADS)) {
      if (isLeftover(key, modifiedAt.getTime(), Date.now())) await this.#remove('sweep', key);
    }
  }

  /** Creates a file. If that fails, creates its collections and tries again. */
  async #into(what: string, path: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await attempt(what, work);
    } catch (error) {
      // RFC 4918 requires 409. rclone responds 404 to PUT and 403 to MOVE.
      if (![403, 404, 409].includes(statusOf(error) ?? 0)) throw error;
      await this.#makeCollection(what, parentOf(path));
      await attempt(what, work);
    }
  }

  /** Creates a collection and its parents. */
  async #makeCollection(what: string, folder: string): Promise<void> {
    if (folder === '') return;
    await this.#makeCollection(what, parentOf(folder.slice(0, -1)));
    try {
      await attempt(what, () => this.#dav.createDirectory(toPath(folder)));
    } catch (error) {
      if (statusOf(error) !== 405) throw error; // it exists
    }
  }

  async #stat(what: string, key: string, signal: AbortSignal | undefined): Promise<FileStat> {
    const stat = await attempt(what, () => this.#dav.stat(toPath(key), optional(signal)));
    return stat as FileStat; // no details were requested
  }

  /** Never a collection: DELETE would also delete everything in it. */
  async #remove(what: string, key: string, signal?: AbortSignal): Promise<void> {
    const stat = await this.#stat(what, key, signal).catch(unlessMissing);
    if (stat?.type !== 'file') return;
    const remove = (): Promise<void> => this.#dav.deleteFile(toPath(key), optional(signal));
    await attempt(what, remove).catch(unlessMissing);
  }
}

function toPath(key: string): string {
  return `/${key}`;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

function toInfo(key: string, { size, lastmod, etag }: FileStat): ObjectInfo {
  return { key, sizeBytes: size, modifiedAt: new Date(lastmod), version: versionOf(etag) };
}

/** Without quotes: the package removes them from listings. A weak ETag may be that of other bytes. */
function versionOf(etag: string | null): string | undefined {
  return etag === null || etag.startsWith('W/') ? undefined : etag.replaceAll('"', '');
}

/** The package's types do not accept `signal: undefined`. */
function optional(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function unlessMissing(error: unknown): undefined {
  if (statusOf(error) !== 404) throw error;
}

async function* bytesOf(stream: Readable, what: string): AsyncGenerator<Uint8Array> {
  try {
    yield* stream as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw toReplicationError(error, what);
  }
}
