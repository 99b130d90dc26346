/**
 * Serves the control socket of a staging folder. Only the owner of the folder's lock may start one: it
 * replaces whatever socket a killed process has left.
 *
 * The socket gets its name when it is ready (bind, chmod, rename), so a client never finds one that it may
 * not use yet, and never none while it is replaced.
 */

import { once } from 'node:events';
import fs from 'node:fs/promises';
import net from 'node:net';
import { messageOf, ReplicationError } from '../error.ts';
import {
  formatAnswer,
  formatError,
  formatProgress,
  parseRequest,
  REQUEST_BYTES_MAX,
} from './protocol.ts';
import { controlFolder, controlSocket, openAddress, type SocketAddress } from './socket-path.ts';

/**
 * Commands by name. Input, answer and progress are JSON. The signal is aborted if the client gives up. A command that
 * takes long reports its progress every few seconds, so that the client goes on waiting.
 */
export type ControlCommands = Readonly<
  Record<
    string,
    (input: unknown, signal: AbortSignal, report: (progress: unknown) => void) => Promise<unknown>
  >
>;

/** Further clients are refused. Each waits for its answer with an open file. */
const CONNECTIONS_MAX = 512;
/** A client that has not sent its line by then is disconnected. */
const REQUEST_MS_MAX = 10_000;
/** A client that reads slowly gets no more progress while so much waits for it. */
const PROGRESS_BYTES_MAX = 64 * 1024;
/** Time for the last answers when the server is closed. */
const CLOSE_MS_MAX = 1_000;

/** A control socket that listens, and answers each request with one of its commands. */
export class ControlServer {
  readonly #socket: string;
  readonly #inode: number;
  readonly #address: SocketAddress;
  readonly #server: net.Server;
  readonly #connections: Set<net.Socket>;

  private constructor(
    socket: string,
    inode: number,
    address: SocketAddress,
    server: net.Server,
    connections: Set<net.Socket>,
  ) {
    this.#socket = socket;
    this.#inode = inode;
    this.#address = address;
    this.#server = server;
    this.#connections = connections;
  }

  /** STAGING_FAILED if the socket cannot be made. */
  static async listen(metaPath: string, commands: ControlCommands): Promise<ControlServer> {
    const socket = controlSocket(metaPath);
    const temporary = `${socket}.tmp`;
    const connections = new Set<net.Socket>();
    const server = net.createServer((connection) => {
      connections.add(connection);
      connection.on('close', () => connections.delete(connection));
      void serve(connection, commands);
    });
    server.maxConnections = CONNECTIONS_MAX;
    let address: SocketAddress | undefined;
    try {
      await makePrivate(controlFolder(metaPath));
      await requireSocketOrNothing(socket);
      await fs.rm(temporary, { force: true });
      address = await openAddress(temporary);
      server.listen(address.path);
      await once(server, 'listening');
      await fs.chmod(temporary, 0o600);
      const { ino } = await fs.stat(temporary);
      await fs.rename(temporary, socket);
      server.on('error', () => undefined); // of a connection that could not be accepted
      return new ControlServer(socket, ino, address, server, connections);
    } catch (error) {
      server.close();
      await address?.close();
      if (error instanceof ReplicationError) throw error;
      throw new ReplicationError(
        'STAGING_FAILED',
        `make the control socket ${socket}: ${messageOf(error)}; check the owner of the folder, or give ` +
          'the database a meta-path on a local file system',
        { cause: error },
      );
    }
  }

  /** Waits a short time for the answers in progress, and removes the socket. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, CLOSE_MS_MAX);
    await closed;
    clearTimeout(timer);
    await this.#address.close();
    const found = await fs.stat(this.#socket).catch(() => undefined);
    if (found?.ino === this.#inode) await fs.rm(this.#socket, { force: true });
  }
}

async function makePrivate(folder: string): Promise<void> {
  await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  await fs.chmod(folder, 0o700);
}

async function requireSocketOrNothing(file: string): Promise<void> {
  const found = await fs.lstat(file).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined || found.isSocket()) return;
  throw new ReplicationError(
    'STAGING_FAILED',
    `make the control socket ${file}: something else has this name; remove it`,
  );
}

/** Answers one request. Does not throw: the client sees every error. */
async function serve(connection: net.Socket, commands: ControlCommands): Promise<void> {
  const aborting = new AbortController();
  connection.on('error', () => undefined); // 'close' follows
  connection.on('close', () => aborting.abort(new Error('the client has gone')));
  const { signal } = aborting;
  const report = (progress: unknown): void => {
    const isSlow = connection.writableLength > PROGRESS_BYTES_MAX;
    if (connection.writable && !isSlow) connection.write(formatProgress(progress));
  };
  let reply: string;
  try {
    reply = formatAnswer(await run(await readLine(connection), commands, { signal, report }));
  } catch (error) {
    reply = formatError(error);
  }
  connection.end(reply);
}

async function run(
  line: string,
  commands: ControlCommands,
  { signal, report }: { readonly signal: AbortSignal; readonly report: (p: unknown) => void },
): Promise<unknown> {
  const { command, input } = parseRequest(line);
  const found = Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (found !== undefined) return await found(input, signal, report);
  throw new ReplicationError(
    'CONFIG_INVALID',
    `run the command ${command}: this replicator knows ${Object.keys(commands).join(', ')}; ` +
      'restart it with this version of Sluice',
  );
}

/** The first line. CONFIG_INVALID if it is too long, does not end, or does not come. */
async function readLine(connection: net.Socket): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (why: string): void =>
    reject(new ReplicationError('CONFIG_INVALID', `read a request: ${why}; send one line of JSON`));
  const timer = setTimeout(
    () => fail(`none came within ${REQUEST_MS_MAX / 1_000} s`),
    REQUEST_MS_MAX,
  );
  let text = Buffer.alloc(0);
  connection.on('data', (chunk: Buffer) => {
    text = Buffer.concat([text, chunk]);
    const end = text.indexOf('\n');
    if (end >= 0) resolve(text.toString('utf8', 0, end));
    else if (text.length > REQUEST_BYTES_MAX) fail(`it has more than ${REQUEST_BYTES_MAX} bytes`);
  });
  connection.on('end', () => fail('it has no line break'));
  connection.on('close', () => fail('the client has gone'));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    connection.removeAllListeners('data');
    connection.resume(); // notices when the client closes the connection
  }
}
