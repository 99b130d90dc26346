/**
 * One SFTP channel of ssh2, with promises. ssh2-sftp-client has no handles, no fsync and no statvfs, so
 * the channel that it opens is used directly. Only this file uses private fields of ssh2 (its limits
 * and extensions); a test checks the versions. Over a closed channel, ssh2 sends nothing and never
 * answers, so pending requests are rejected when the channel is lost.
 */

import type { Attributes as RawAttributes, FileEntryWithStats, SFTPWrapper, Stats } from 'ssh2';
import type SftpClient from 'ssh2-sftp-client';

import { SSHError, STATUS, statusOf, unlessMissing } from './errors.ts';

/** Whole seconds, by the server's clock or as set by a client. */
export interface Times {
  readonly modifiedMs: number;
  readonly accessedMs: number;
}

export interface Attributes extends Times {
  readonly kind: 'folder' | 'file' | 'other';
  readonly sizeBytes: number;
}

export interface Entry extends Attributes {
  readonly name: string;
}

export type Extension = 'posix-rename' | 'fsync' | 'hardlink' | 'statvfs';

/** The versions that ssh2 sends. Another version of an extension is another request. */
const EXTENSION_VERSIONS: Readonly<Record<Extension, string>> = {
  'posix-rename': '1',
  fsync: '1',
  hardlink: '1',
  statvfs: '2',
};

interface Internals {
  readonly _extensions?: Readonly<Record<string, string>>;
  readonly _maxReadLen?: number;
  readonly _maxWriteLen?: number;
}

/** Supported by every server (draft 02: packets of 34,000 bytes). */
const PIECE_BYTES_MIN = 31 * 1024;
/** The largest pieces that we use. */
const PIECE_BYTES_MAX = 253 * 1024;
/** Bytes in flight, and in memory, for each file: the size of ssh2's window. */
const AHEAD_BYTES = 2 * 1024 * 1024;
const REQUESTS_AHEAD_MAX = 64;
/** Concurrent readdir requests. OpenSSH answers each with 100 names. */
const PAGES_AHEAD = 4;

type Callback<T> = (error?: Error | null, value?: T) => void;

/** Loads the SDK, which is slow, only when a connection is opened. */
export async function makeClient(): Promise<SftpClient> {
  const { default: Client } = await import('ssh2-sftp-client');
  const ignore = (): void => undefined; // the ssh2 client emits the same events
  return new Client('sluice', { error: ignore, end: ignore, close: ignore });
}

export class Channel {
  readonly #sftp: SFTPWrapper;
  readonly #pending = new Set<(error: Error) => void>();
  #failure: Error | undefined;
  /** Number of calls and open files that use it. */
  useCount = 0;

  constructor(sftp: SFTPWrapper) {
    this.#sftp = sftp;
  }

  /** Rejects all pending and later requests. */
  fail(error: Error): void {
    this.#failure ??= error;
    for (const reject of this.#pending) reject(error);
    this.#pending.clear();
  }

  has(extension: Extension): boolean {
    const { _extensions = {} } = this.#sftp as Internals;
    return _extensions[`${extension}@openssh.com`] === EXTENSION_VERSIONS[extension];
  }

  /** Whether the server copies bytes from one file to another. Not an extension of OpenSSH alone. */
  get copiesData(): boolean {
    return (this.#sftp as Internals)._extensions?.['copy-data'] === '1';
  }

  /** The size of a request, and the number of requests in flight. */
  limits(direction: 'read' | 'write'): { pieceBytes: number; requestsAhead: number } {
    const { _maxReadLen, _maxWriteLen } = this.#sftp as Internals;
    const limit = (direction === 'read' ? _maxReadLen : _maxWriteLen) ?? PIECE_BYTES_MIN;
    const pieceBytes = Math.max(1, Math.min(limit, PIECE_BYTES_MAX));
    const ahead = Math.min(Math.floor(AHEAD_BYTES / pieceBytes), REQUESTS_AHEAD_MAX);
    return { pieceBytes, requestsAhead: Math.max(1, ahead) };
  }

  open(path: string, flags: 'r' | 'wx', mode: number): Promise<Buffer> {
    return this.#request<Buffer>((done) => this.#sftp.open(path, flags, { mode }, done));
  }

  async close(handle: Buffer): Promise<void> {
    await this.#request((done) => this.#sftp.close(handle, done));
  }

  /** Returns the number of bytes read: may be short before the end, 0 at the end. */
  read(handle: Buffer, into: Buffer, offset: number, position: number): Promise<number> {
    const length = into.byteLength - offset;
    return this.#request<number>((done) =>
      this.#sftp.read(handle, into, offset, length, position, done),
    );
  }

  async write(handle: Buffer, bytes: Uint8Array, position: number): Promise<void> {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    await this.#request((done) =>
      this.#sftp.write(handle, buffer, 0, buffer.length, position, done),
    );
  }

  /** Copies bytes from one open file to the same place in another. Requires `copiesData`. */
  async copyData(from: Buffer, to: Buffer, position: number, length: number): Promise<void> {
    await this.#request((done) =>
      this.#sftp.ext_copy_data(from, position, length, to, position, done),
    );
  }

  /** Undefined if it does not exist. */
  async stat(path: string): Promise<Attributes | undefined> {
    const found = await unlessMissing(this.#request<Stats>((done) => this.#sftp.stat(path, done)));
    return found === undefined ? undefined : toAttributes(found);
  }

  async fstat(handle: Buffer): Promise<Attributes> {
    return toAttributes(await this.#request<Stats>((done) => this.#sftp.fstat(handle, done)));
  }

  async setTimes(handle: Buffer, { accessedMs, modifiedMs }: Times): Promise<void> {
    const [atime, mtime] = [seconds(accessedMs), seconds(modifiedMs)];
    await this.#request((done) => this.#sftp.futimes(handle, atime, mtime, done));
  }

  async setTimesOf(path: string, { accessedMs, modifiedMs }: Times): Promise<void> {
    const [atime, mtime] = [seconds(accessedMs), seconds(modifiedMs)];
    await this.#request((done) => this.#sftp.utimes(path, atime, mtime, done));
  }

  /** Does nothing if the server has no fsync. */
  async fsync(handle: Buffer): Promise<void> {
    if (this.has('fsync'))
      await this.#request((done) => this.#sftp.ext_openssh_fsync(handle, done));
  }

  /** Most servers refuse it if the new name exists. */
  async rename(from: string, to: string): Promise<void> {
    await this.#request((done) => this.#sftp.rename(from, to, done));
  }

  /** Replaces a file with the new name. Requires posix-rename. */
  async replace(from: string, to: string): Promise<void> {
    await this.#request((done) => this.#sftp.ext_openssh_rename(from, to, done));
  }

  async link(from: string, to: string): Promise<void> {
    await this.#request((done) => this.#sftp.ext_openssh_hardlink(from, to, done));
  }

  async unlink(path: string): Promise<void> {
    await this.#request((done) => this.#sftp.unlink(path, done));
  }

  async mkdir(path: string, mode: number): Promise<void> {
    await this.#request((done) => this.#sftp.mkdir(path, { mode }, done));
  }

  async rmdir(path: string): Promise<void> {
    await this.#request((done) => this.#sftp.rmdir(path, done));
  }

  /** The entries of a folder, unsorted; undefined if it does not exist. */
  async readFolder(path: string): Promise<readonly Entry[] | undefined> {
    return await this.#openFolder(path, (handle) => this.#readPages(handle));
  }

  /** Whether a folder exists and is empty. Reads only its first entries. */
  async isEmptyFolder(path: string): Promise<boolean> {
    const first = await this.#openFolder(path, (handle) => this.#readFirst(handle));
    return first?.length === 0;
  }

  async #openFolder<T>(path: string, read: (handle: Buffer) => Promise<T>): Promise<T | undefined> {
    const opened = this.#request<Buffer>((done) => this.#sftp.opendir(path, done));
    const handle = await unlessMissing(opened);
    if (handle === undefined) return undefined;
    try {
      return await read(handle);
    } finally {
      await this.close(handle).catch(() => undefined); // the entries have been read
    }
  }

  /** The first page that has an entry; empty if the folder is. */
  async #readFirst(handle: Buffer): Promise<readonly Entry[]> {
    for (;;) {
      try {
        const entries = toEntries(await this.#readPage(handle));
        if (entries.length > 0) return entries;
      } catch (error) {
        if (statusOf(error) !== STATUS.EOF) throw error;
        return [];
      }
    }
  }

  async #readPage(handle: Buffer): Promise<FileEntryWithStats[]> {
    return await this.#request<FileEntryWithStats[]>((done) => this.#sftp.readdir(handle, done));
  }

  async #readPages(handle: Buffer): Promise<readonly Entry[]> {
    const entries: Entry[] = [];
    const requestPage = (): Promise<FileEntryWithStats[]> => {
      const page = this.#readPage(handle);
      page.catch(() => undefined); // the requests after the last page are not awaited
      return page;
    };
    const pages = Array.from({ length: PAGES_AHEAD }, requestPage);
    for (let page = pages.shift(); page !== undefined; page = pages.shift()) {
      try {
        entries.push(...toEntries(await page));
      } catch (error) {
        if (statusOf(error) !== STATUS.EOF) throw error;
        await Promise.allSettled(pages);
        return entries;
      }
      pages.push(requestPage());
    }
    return entries;
  }

  /** Free space on the disk of a folder; undefined if the server has no statvfs. */
  async freeBytes(path: string): Promise<number | undefined> {
    if (!this.has('statvfs')) return undefined;
    interface FileSystem {
      readonly f_bavail: number;
      readonly f_frsize: number;
    }
    const { f_bavail, f_frsize } = await this.#request<FileSystem>((done) =>
      this.#sftp.ext_openssh_statvfs(path, done),
    );
    return f_bavail * f_frsize;
  }

  async #request<T = void>(send: (done: Callback<T>) => void): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#pending.add(reject);
    try {
      send((error, value) => {
        if (error instanceof Error) reject(toAnswer(error));
        else resolve(value as T);
      });
      return await promise;
    } finally {
      this.#pending.delete(reject);
    }
  }
}

/** An error with a number is the server's answer. ssh2's own errors mean that the connection is lost. */
function toAnswer(error: Error): Error {
  if (statusOf(error) !== undefined) return error;
  return new SSHError('REPLICA_UNAVAILABLE', error.message, error);
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

function toAttributes(raw: Stats | RawAttributes): Attributes {
  const { mode = 0, size = 0, mtime = 0, atime = mtime } = raw as Partial<RawAttributes>;
  return {
    kind: KINDS.get(mode & 0o170_000) ?? 'other',
    sizeBytes: size,
    modifiedMs: mtime * 1000,
    accessedMs: atime * 1000,
  };
}

const KINDS: ReadonlyMap<number, Attributes['kind']> = new Map([
  [0o040_000, 'folder'],
  [0o100_000, 'file'],
]);

function toEntries(page: readonly FileEntryWithStats[]): Entry[] {
  return page
    .filter(({ filename }) => filename !== '.' && filename !== '..')
    .map(({ filename, attrs }) => ({ name: filename, ...toAttributes(attrs) }));
}
