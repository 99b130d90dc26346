/**
 * A small SFTP server over a folder, made with ssh2, without any extensions. It imitates servers that
 * cannot run here, and lets tests intercept each request.
 */

import fs from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type net from 'node:net';

import { onTestFinished } from 'vitest';
import ssh2, {
  type AuthContext,
  type AuthenticationType,
  type Connection,
  type SFTPWrapper,
} from 'ssh2';

import { makeKeys } from './keys.ts';

const { OPEN_MODE, STATUS_CODE } = ssh2.utils.sftp;

/** "Operation unsupported", the highest status of the first draft. */
const DRAFT_STATUS_MAX = 8;

export interface Request {
  /** "OPEN", "WRITE", … */
  readonly kind: string;
  /** The path of the request, or of its handle. */
  readonly path: string;
}

/**
 * A status to answer instead; or the connection is lost before or after the request is executed; or the
 * answer is "OK" without executing it.
 */
type Interception = number | 'lost-before' | 'lost-after' | 'ignored' | undefined;

export interface FakeServer {
  readonly port: number;
  /** The folder with the server's files. */
  readonly folder: string;
  readonly hostKey: string;
  readonly requests: Request[];
  /** The modes requested for new files. */
  readonly modes: (number | undefined)[];
  /** Number of connections and channels since the start. */
  connections: number;
  channels: number;
  channelsAtOnceMax: number;
  /** The status for a rename to an existing name. */
  renameOntoTaken: number;
  /** Called for each request. */
  intercept: (request: Request) => Interception;
  /** Whether to accept the login; or methods that can continue it; or 'later' if it answers by itself. */
  accept: (context: AuthContext) => boolean | 'later' | readonly AuthenticationType[];
  /** Maximum per connection; more are refused. */
  channelsMax: number;
  /** Concurrent WRITE requests of one channel. */
  writesAtOnceMax: number;
  /** Ends all connections, as a server does after a long idle time. */
  dropAll(): Promise<void>;
}

export interface FakeServerOptions {
  /** Private keys of further types. */
  readonly otherHostKeys?: readonly string[];
  /** Text that the login shell prints instead of SFTP. */
  readonly prints?: string;
}

export async function startFakeServer({
  otherHostKeys = [],
  prints,
}: FakeServerOptions = {}): Promise<FakeServer> {
  const folder = fs.mkdtempSync(join(tmpdir(), 'sluice-fake-sftp-'));
  const keys = makeKeys();
  const clients = new Set<Connection>();
  const fake: FakeServer = {
    port: 0,
    folder,
    hostKey: keys.public,
    requests: [],
    modes: [],
    connections: 0,
    channels: 0,
    channelsAtOnceMax: 0,
    renameOntoTaken: STATUS_CODE.FAILURE,
    intercept: () => undefined,
    accept: ({ method }) => method === 'password',
    channelsMax: 100,
    writesAtOnceMax: 0,
    async dropAll() {
      // Not `once` of node:events, which rejects on an error event.
      const ended = [...clients].map(
        (client) => new Promise<void>((resolve) => void client.once('close', () => resolve())),
      );
      for (const client of clients) client.end();
      await Promise.all(ended);
    },
  };
  const server = new ssh2.Server({ hostKeys: [keys.private, ...otherHostKeys] }, (client) => {
    fake.connections += 1;
    clients.add(client);
    (client as unknown as net.Socket).setNoDelay(true); // missing in its types
    let channels = 0;
    client.on('error', () => undefined); // the client disconnected: 'close' follows
    client.on('close', () => clients.delete(client));
    client.on('authentication', (context) => {
      const answer = fake.accept(context);
      if (answer === true) context.accept();
      else if (answer !== 'later') context.reject(answer === false ? [] : [...answer]);
    });
    client.on('session', (accept, reject) => {
      if (channels >= fake.channelsMax) return reject();
      const session = accept();
      if (prints !== undefined) {
        session.on('subsystem', (acceptSubsystem) => void acceptSubsystem().write(prints));
        return undefined;
      }
      return session.on('sftp', (acceptSFTP) => {
        fake.channels += 1;
        channels += 1;
        fake.channelsAtOnceMax = Math.max(fake.channelsAtOnceMax, channels);
        serve(fake, acceptSFTP(), () => client.end());
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    await fake.dropAll();
    await new Promise<void>((resolve) => void server.close(() => resolve()));
    fs.rmSync(folder, { recursive: true, force: true });
  });
  return Object.assign(fake, { port: (server.address() as net.AddressInfo).port });
}

interface Handle {
  readonly path: string;
  readonly fd?: number;
  names?: string[];
}

function serve(fake: FakeServer, sftp: SFTPWrapper, disconnect: () => void): void {
  const handles = new Map<number, Handle>();
  let handleCount = 0;
  let writing = 0;
  const onDisk = (path: string): string => join(fake.folder, path);
  const handleOf = (id: Buffer): Handle => handles.get(id.readUInt32BE(0)) ?? { path: '?' };
  const attributes = (stats: fs.Stats) => ({
    mode: stats.mode,
    uid: stats.uid,
    gid: stats.gid,
    size: stats.size,
    atime: Math.floor(stats.atimeMs / 1000),
    mtime: Math.floor(stats.mtimeMs / 1000),
  });
  const keep = (handle: Handle): Buffer => {
    const id = Buffer.alloc(4);
    id.writeUInt32BE((handleCount += 1));
    handles.set(handleCount, handle);
    return id;
  };
  /** Runs `act` unless the request is intercepted. An error of `act` becomes the answer. */
  const on = (kind: string, id: number, path: string, act: () => (() => void) | void): void => {
    fake.requests.push({ kind, path });
    const interception = fake.intercept({ kind, path });
    if (interception === 'lost-before') return disconnect();
    if (interception === 'ignored') return sftp.status(id, STATUS_CODE.OK);
    if (typeof interception === 'number') return sendStatus(sftp, id, interception);
    try {
      const answer = act();
      if (interception === 'lost-after') return disconnect();
      if (answer === undefined) sftp.status(id, STATUS_CODE.OK);
      else answer();
    } catch (error) {
      sftp.status(id, statusOf(error));
    }
  };

  sftp.on('OPEN', (id, path, flags, { mode }) =>
    on('OPEN', id, path, () => {
      const isNew = (flags & OPEN_MODE.CREAT) !== 0;
      if (isNew) fake.modes.push(mode);
      const fd = fs.openSync(onDisk(path), isNew ? 'wx' : 'r');
      return () => sftp.handle(id, keep({ path, fd }));
    }),
  );
  sftp.on('READ', (id, handle, offset, length) =>
    on('READ', id, handleOf(handle).path, () => {
      const bytes = Buffer.alloc(length);
      const count = fs.readSync(handleOf(handle).fd ?? -1, bytes, 0, length, offset);
      if (count === 0) return () => sftp.status(id, STATUS_CODE.EOF);
      // Sometimes fewer bytes than requested, which the protocol allows.
      const most = fake.requests.length % 7 === 0 ? Math.ceil(count / 3) : count;
      return () => sftp.data(id, bytes.subarray(0, most));
    }),
  );
  sftp.on('WRITE', (id, handle, offset, bytes) =>
    on('WRITE', id, handleOf(handle).path, () => {
      fs.writeSync(handleOf(handle).fd ?? -1, bytes, 0, bytes.length, offset);
      writing += 1;
      fake.writesAtOnceMax = Math.max(fake.writesAtOnceMax, writing);
      return () =>
        // Delayed, so that concurrent requests are counted.
        setTimeout(() => {
          writing -= 1;
          sftp.status(id, STATUS_CODE.OK);
        }, 5);
    }),
  );
  sftp.on('FSTAT', (id, handle) =>
    on('FSTAT', id, handleOf(handle).path, () => {
      const stats = fs.fstatSync(handleOf(handle).fd ?? -1);
      return () => sftp.attrs(id, attributes(stats));
    }),
  );
  sftp.on('FSETSTAT', (id, handle, { atime, mtime }) =>
    on('FSETSTAT', id, handleOf(handle).path, () => {
      fs.futimesSync(handleOf(handle).fd ?? -1, atime, mtime);
    }),
  );
  sftp.on('SETSTAT', (id, path, { atime, mtime }) =>
    on('SETSTAT', id, path, () => fs.utimesSync(onDisk(path), atime, mtime)),
  );
  sftp.on('CLOSE', (id, handle) =>
    on('CLOSE', id, handleOf(handle).path, () => {
      const { fd } = handleOf(handle);
      if (fd !== undefined) fs.closeSync(fd);
      handles.delete(handle.readUInt32BE(0));
    }),
  );
  for (const kind of ['STAT', 'LSTAT'] as const) {
    sftp.on(kind, (id: number, path: string) =>
      on(kind, id, path, () => {
        const stats = fs.statSync(onDisk(path));
        return () => sftp.attrs(id, attributes(stats));
      }),
    );
  }
  sftp.on('OPENDIR', (id, path) =>
    on('OPENDIR', id, path, () => {
      const names = fs.readdirSync(onDisk(path));
      return () => sftp.handle(id, keep({ path, names }));
    }),
  );
  sftp.on('READDIR', (id, handle) =>
    on('READDIR', id, handleOf(handle).path, () => {
      const { path, names = [] } = handleOf(handle);
      const page = names.splice(0, 3).flatMap((filename) => {
        const stats = fs.statSync(onDisk(join(path, filename)), { throwIfNoEntry: false });
        return stats === undefined ? [] : [{ filename, longname: '', attrs: attributes(stats) }];
      });
      if (page.length === 0) return () => sftp.status(id, STATUS_CODE.EOF);
      return () => sftp.name(id, page);
    }),
  );
  sftp.on('REMOVE', (id, path) => on('REMOVE', id, path, () => fs.unlinkSync(onDisk(path))));
  sftp.on('MKDIR', (id, path) => on('MKDIR', id, path, () => fs.mkdirSync(onDisk(path))));
  sftp.on('RMDIR', (id, path) => on('RMDIR', id, path, () => fs.rmdirSync(onDisk(path))));
  sftp.on('RENAME', (id, from, to) =>
    on('RENAME', id, `${from} ${to}`, () => {
      if (fs.existsSync(onDisk(to))) return () => sendStatus(sftp, id, fake.renameOntoTaken);
      fs.renameSync(onDisk(from), onDisk(to));
      return undefined;
    }),
  );
}

/** ssh2 replaces each status that is not in the first draft by 4; other servers do not. */
function sendStatus(sftp: SFTPWrapper, id: number, status: number): void {
  if (status <= DRAFT_STATUS_MAX) return sftp.status(id, status);
  const packet = Buffer.alloc(21); // length, type, request, status, two empty texts
  packet.writeUInt32BE(packet.byteLength - 4, 0);
  packet[4] = 101;
  packet.writeUInt32BE(id, 5);
  packet.writeUInt32BE(status, 9);
  interface Internals {
    readonly outgoing: { readonly id: number };
    readonly _protocol: { channelData(channel: number, data: Buffer): void };
  }
  const { outgoing, _protocol } = sftp as unknown as Internals;
  return _protocol.channelData(outgoing.id, packet);
}

function statusOf(error: unknown): number {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR' ? STATUS_CODE.NO_SUCH_FILE : STATUS_CODE.FAILURE;
}

/** Puts a file on the server's disk. */
export function plant(fake: FakeServer, path: string, bytes: string, ageMs = 0): void {
  const at = join(fake.folder, path);
  fs.mkdirSync(dirname(at), { recursive: true });
  fs.writeFileSync(at, bytes);
  const time = new Date(Date.now() - ageMs);
  fs.utimesSync(at, time, time);
}

/** All files below a folder of the server. */
export function tree(fake: FakeServer, path: string): string[] {
  const at = join(fake.folder, path);
  if (!fs.existsSync(at)) return [];
  const entries = fs.readdirSync(at, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath, entry.name).slice(at.length + 1)).sort();
}
