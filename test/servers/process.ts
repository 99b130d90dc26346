/** Runs the binary of a third-party server on a free port with its own folder, until stopped. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** On a machine under load, Azurite has needed 20 s. */
const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 5_000;
const POLL_MS = 25;
/** Maximum output kept for the error message if the server does not start. */
const OUTPUT_CHARS_MAX = 4_000;

export interface RunningProcess {
  readonly port: number;
  /** Folder for its data, deleted by `stop`. */
  readonly folder: string;
  readonly stop: () => Promise<void>;
}

export interface ProcessOptions {
  readonly name: string;
  readonly binary: string;
  readonly arguments: (port: number, folder: string) => readonly string[];
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Runs before the start. */
  readonly prepare?: ((folder: string, port: number) => Promise<void>) | undefined;
  /** Path that responds 200 when the server is ready. Default: wait for its port to accept connections. */
  readonly healthPath?: string | undefined;
  /** User of the process, if we run as root. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const folder = await mkdtemp(join(tmpdir(), `sluice-${options.name}-`));
  const port = await freePort();
  await options.prepare?.(folder, port);
  const child = spawn(options.binary, options.arguments(port, folder), {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.uid !== undefined && { uid: options.uid, gid: options.gid ?? options.uid }),
  });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_CHARS_MAX);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.on('error', (error) => keep(Buffer.from(error.message)));
  // The server must not outlive this process.
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);

  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  const stop = async (): Promise<void> => {
    process.off('exit', killWithUs);
    if (isRunning() && child.pid !== undefined) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
      await ended.finally(() => clearTimeout(timer));
    }
    await rm(folder, { recursive: true, force: true });
  };

  const deadline = Date.now() + READY_MS_MAX;
  const { healthPath } = options;
  const isReady = (): Promise<boolean> =>
    healthPath === undefined ? listens(port) : answers(`http://127.0.0.1:${port}${healthPath}`);
  while (!(await isReady())) {
    if (!isRunning() || Date.now() > deadline) {
      await stop();
      throw new Error(`${options.name} does not start on port ${port}: ${output.trim()}`);
    }
    await sleep(POLL_MS);
  }
  return { port, folder, stop };
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false; // not yet
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false; // not yet
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
