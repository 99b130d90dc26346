/**
 * One SFTP channel of ssh2, as promises. ssh2-sftp-client has no handles, no fsync and no statvfs, so
 * this is the channel that it opens; the only file that knows what ssh2 keeps to itself (its limits
 * and extensions), with a test on the versions. ssh2 sends nothing over a channel that is closed,
 * and then never answers: whatever waits is told when it is lost.
 */

import type { Attributes as RawAttributes, FileEntryWithStats, SFTPWrapper, Stats } from 'ssh2';
import type SftpClient from 'ssh2-sftp-client';

import { SSHError, STATUS, statusOf, unlessMissing } from './errors.ts';

/** Whole seconds, by the server's clock or as they were set. */
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

/** What ssh2 sends them with; another version of an extension is another request. */
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

/** What every server takes (RFC draft 02: 34,000 with all around it), and what we ask for at most. */
const PIECE_BYTES_MIN = 31 * 1024;
const PIECE_BYTES_MAX = 253 * 1024;
/** What may be on its way, and so in memory, for each file: as much as ssh2's window takes. */
const AHEAD_BYTES = 2 * 1024 * 1024;
const REQUESTS_AHEAD_MAX = 64;
/** Requests for more of a folder that are on their way at once; OpenSSH answers each with 100 names. */
const PAGES_AHEAD = 4;

type Callback<T> = (error?: Error | null, value?: T) => void;

/** Loads the SDK, which only who connects has to wait for. */
export async function makeClient(): Promise<SftpClient> {
  const { default: Client } = await import('ssh2-sftp-client');
  const ignore = (): void => undefined; // what it has to say, its client below says too
  return new Client('sluice', { error: ignore, end: ignore, close: ignore });
}

export class Channel {
  readonly #sftp: SFTPWrapper;
  readonly #waiting = new Set<(error: Error) => void>();
  #lost: Error | undefined;
  /** What is using it: calls, and files that are open. */
  load = 0;

  constructor(sftp: SFTPWrapper) {
    this.#sftp = sftp;
  }

  /** Ends whatever waits for an answer, and all that is asked from now on. */
  lose(error: Error): void {
    this.#lost ??= error;
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
  }

  has(extension: Extension): boolean {
    const { _extensions = {} } = this.#sftp as Internals;
    return _extensions[`${extension}@openssh.com`] === EXTENSION_VERSIONS[extension];
  }

  /** How much the server reads, or writes, in one request, and how many are to be on their way. */
  limits(direction: 'read' | 'write'): { pieceBytes: number; requestsAhead: number } {
    const { _maxReadLen, _maxWriteLen } = this.#sftp as Internals;
    const limit = (direction === 'read' ? _maxReadLen : _maxWriteLen) ?? PIECE_BYTES_MIN;
    const pieceBytes = Math.max(1, Math.min(limit, PIECE_BYTES_MAX));
    const ahead = Math.min(Math.floor(AHEAD_BYTES / pieceBytes), REQUESTS_AHEAD_MAX);
    return { pieceBytes, requestsAhead: Math.max(1, ahead) };
  }

  open(path: string, flags: 'r' | 'wx', mode: number): Promise<Buffer> {
    return this.#ask<Buffer>((done) => this.#sftp.open(path, flags, { mode }, done));
  }

  async close(handle: Buffer): Promise<void> {
    await this.#ask((done) => this.#sftp.close(handle, done));
  }

  /** How many bytes came: fewer than asked for also before the end; 0 at the end. */
  read(handle: Buffer, into: Buffer, offset: number, position: number): Promise<number> {
    const length = into.byteLength - offset;
    return this.#ask<number>((done) =>
      this.#sftp.read(handle, into, offset, length, position, done),
    );
  }

  async write(handle: Buffer, bytes: Uint8Array, position: number): Promise<void> {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    await this.#ask((done) => this.#sftp.write(handle, buffer, 0, buffer.length, position, done));
  }

  /** Undefined where there is nothing. */
  async stat(path: string): Promise<Attributes | undefined> {
    const found = await unlessMissing(this.#ask<Stats>((done) => this.#sftp.stat(path, done)));
    return found === undefined ? undefined : toAttributes(found);
  }

  async fstat(handle: Buffer): Promise<Attributes> {
    return toAttributes(await this.#ask<Stats>((done) => this.#sftp.fstat(handle, done)));
  }

  async setTimes(handle: Buffer, { accessedMs, modifiedMs }: Times): Promise<void> {
    const [atime, mtime] = [seconds(accessedMs), seconds(modifiedMs)];
    await this.#ask((done) => this.#sftp.futimes(handle, atime, mtime, done));
  }

  async setTimesOf(path: string, { accessedMs, modifiedMs }: Times): Promise<void> {
    const [atime, mtime] = [seconds(accessedMs), seconds(modifiedMs)];
    await this.#ask((done) => this.#sftp.utimes(path, atime, mtime, done));
  }

  /** Nothing, where the server cannot. */
  async fsync(handle: Buffer): Promise<void> {
    if (this.has('fsync')) await this.#ask((done) => this.#sftp.ext_openssh_fsync(handle, done));
  }

  /** Refused where the new name is taken, by most servers. */
  async rename(from: string, to: string): Promise<void> {
    await this.#ask((done) => this.#sftp.rename(from, to, done));
  }

  /** Replaces what has the new name. Only where the server has posix-rename. */
  async replace(from: string, to: string): Promise<void> {
    await this.#ask((done) => this.#sftp.ext_openssh_rename(from, to, done));
  }

  async link(from: string, to: string): Promise<void> {
    await this.#ask((done) => this.#sftp.ext_openssh_hardlink(from, to, done));
  }

  async unlink(path: string): Promise<void> {
    await this.#ask((done) => this.#sftp.unlink(path, done));
  }

  async mkdir(path: string, mode: number): Promise<void> {
    await this.#ask((done) => this.#sftp.mkdir(path, { mode }, done));
  }

  async rmdir(path: string): Promise<void> {
    await this.#ask((done) => this.#sftp.rmdir(path, done));
  }

  /** What lies in a folder, in no order; undefined where there is none. */
  async readFolder(path: string): Promise<readonly Entry[] | undefined> {
    const opened = this.#ask<Buffer>((done) => this.#sftp.opendir(path, done));
    const handle = await unlessMissing(opened);
    if (handle === undefined) return undefined;
    try {
      return await this.#readPages(handle);
    } finally {
      await this.close(handle).catch(() => undefined); // all that it had to say has been read
    }
  }

  async #readPages(handle: Buffer): Promise<readonly Entry[]> {
    const entries: Entry[] = [];
    const ask = (): Promise<FileEntryWithStats[]> => {
      const page = this.#ask<FileEntryWithStats[]>((done) => this.#sftp.readdir(handle, done));
      page.catch(() => undefined); // those behind the last one have nobody who waits for them
      return page;
    };
    const pages = Array.from({ length: PAGES_AHEAD }, ask);
    for (let page = pages.shift(); page !== undefined; page = pages.shift()) {
      try {
        for (const { filename, attrs } of await page) {
          if (filename === '.' || filename === '..') continue;
          entries.push({ name: filename, ...toAttributes(attrs) });
        }
      } catch (error) {
        if (statusOf(error) !== STATUS.EOF) throw error;
        await Promise.allSettled(pages);
        return entries;
      }
      pages.push(ask());
    }
    return entries;
  }

  /** What is left for us on the disk of a folder; undefined where the server does not tell. */
  async freeBytes(path: string): Promise<number | undefined> {
    if (!this.has('statvfs')) return undefined;
    interface FileSystem {
      readonly f_bavail: number;
      readonly f_frsize: number;
    }
    const { f_bavail, f_frsize } = await this.#ask<FileSystem>((done) =>
      this.#sftp.ext_openssh_statvfs(path, done),
    );
    return f_bavail * f_frsize;
  }

  async #ask<T = void>(send: (done: Callback<T>) => void): Promise<T> {
    if (this.#lost !== undefined) throw this.#lost;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.add(reject);
    try {
      send((error, value) => {
        if (error instanceof Error) reject(answerOf(error));
        else resolve(value as T);
      });
      return await promise;
    } finally {
      this.#waiting.delete(reject);
    }
  }
}

/** An error with a number is the server's. ssh2's own, without one, says that there is no server. */
function answerOf(error: Error): Error {
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
