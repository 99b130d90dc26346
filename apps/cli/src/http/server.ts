/**
 * The HTTP server of the replicator, at `addr`: the paths of routes.ts, then the mounts. Loaded only if `addr` is
 * configured.
 */

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { messageOf, ReplicationError, type Logger } from '@sluice/core/backend';
import { parseAddress, type Address } from './address.ts';
import { respondByMounts, type Mount } from './mounts.ts';
import { NOT_FOUND, type Reply, type Routes } from './routes.ts';

export interface HTTPServer {
  /** The host:port that it listens on. */
  readonly address: string;
  close(): Promise<void>;
}

export interface HTTPServerOptions {
  /** ":9090" listens on this machine only. */
  readonly addr: string;
  readonly routes: Routes;
  /** Asked in order for the paths that are not in `routes`. */
  readonly mounts?: readonly Mount[] | undefined;
  /** Names by which it is reached through a proxy, beside addresses and localhost. */
  readonly hosts?: readonly string[] | undefined;
  readonly logger: Logger;
}

/** CONFIG_INVALID if the address is invalid or in use. */
export async function serveHTTP(options: HTTPServerOptions): Promise<HTTPServer> {
  const { addr, routes, mounts = [], logger } = options;
  const { host, port } = addressOf(addr);
  const closing = new AbortController();
  let hosts: Hosts = (options.hosts ?? []).map((name) => name.toLowerCase());
  const server = http.createServer((request, response) => {
    answer(request, response, { routes, mounts, hosts, signal: closing.signal }).catch(
      (error: unknown) => {
        logger.warn(`${pathOf(request)}: ${messageOf(error)}`);
        if (response.headersSent) response.destroy();
        else response.writeHead(500).end();
      },
    );
  });
  await listen(server, host, port, addr);
  const { address, port: bound } = server.address() as AddressInfo;
  if (!isLoopback(address)) hosts = 'any';
  const at = `${address.includes(':') ? `[${address}]` : address}:${bound}`;
  const hint = addr.startsWith(':')
    ? ', reachable from this machine only: to change that, write a host before the colon'
    : '';
  logger.info(`metrics at http://${at}/metrics, health at /status${hint}`);
  if (!isLoopback(address)) logger.warn(`anyone who can connect to ${at} can read the metrics`);
  return {
    address: at,
    close: async () => {
      closing.abort();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function addressOf(addr: string): Address {
  const address = parseAddress(addr);
  if (address !== undefined) return address;
  throw new ReplicationError('CONFIG_INVALID', `addr must be host:port or :port, not "${addr}"`);
}

async function listen(
  server: http.Server,
  host: string,
  port: number,
  addr: string,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const message = `listen on addr ${addr} for /metrics: ${messageOf(error)}; choose another host or port, or stop the program that uses it`;
      reject(new ReplicationError('CONFIG_INVALID', message, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** Which names a request may use for this server, beside addresses and localhost. */
type Hosts = readonly string[] | 'any';

interface AnswerContext {
  readonly routes: Routes;
  readonly mounts: readonly Mount[];
  readonly hosts: Hosts;
  readonly signal: AbortSignal;
}

async function answer(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { routes, mounts, hosts, signal }: AnswerContext,
): Promise<void> {
  if (hosts !== 'any' && !isOwnHost(request.headers.host, hosts)) {
    await send(request, response, MISDIRECTED);
    return;
  }
  const route = routes[pathOf(request)];
  if (route === undefined) {
    if (await respondByMounts(request, response, mounts, signal)) return;
    await send(request, response, NOT_FOUND);
  } else if (request.method === 'GET' || request.method === 'HEAD') {
    await send(request, response, await route(queryOf(request)));
  } else {
    await send(request, response, { code: 405, type: TEXT, body: 'GET and HEAD only\n' });
  }
}

async function send(
  { method }: http.IncomingMessage,
  response: http.ServerResponse,
  { code, type, body }: Reply,
): Promise<void> {
  const headers = { 'content-type': type, 'cache-control': 'no-store' };
  if (typeof body === 'string') {
    const length = { 'content-length': Buffer.byteLength(body) };
    response.writeHead(code, { ...headers, ...length }).end(method === 'HEAD' ? undefined : body);
    return;
  }
  response.writeHead(code, headers);
  if (method !== 'HEAD') await sendParts(response, body);
  response.end();
}

/** The next part is made when the one before is sent, and others get their turn in between. */
async function sendParts(response: http.ServerResponse, parts: Iterable<Buffer>): Promise<void> {
  for (const part of parts) {
    const isSent = response.write(part);
    if (!isSent && !response.destroyed) await drained(response);
    await yieldToOthers();
    if (response.destroyed) return; // the client has gone
  }
}

/** Also resolves if the client goes. */
async function drained(response: http.ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const end = (): void => {
      response.off('drain', end).off('close', end);
      resolve();
    };
    response.on('drain', end).on('close', end);
  });
}

const TEXT = 'text/plain; charset=utf-8';

/** The name is not that of this machine, as in an attack by DNS rebinding from a page in a browser. */
const MISDIRECTED: Reply = {
  code: 421,
  type: TEXT,
  body: 'this server answers to localhost and IP addresses only; behind a proxy, list the name in page.hosts, or let the proxy send another Host\n',
};

/** A browser sends the name in its address bar, which another site chooses. It cannot choose these. */
export function isOwnHost(host: string | undefined, known: readonly string[] = []): boolean {
  if (host === undefined) return true; // HTTP/1.0: not a browser
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return (
    known.includes(name) ||
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    /^(\d+(\.\d+){3}|\[[^\]]*\])$/.test(name)
  );
}

function pathOf({ url = '/' }: http.IncomingMessage): string {
  return url.replace(/\?.*/s, '');
}

function queryOf({ url = '/' }: http.IncomingMessage): URLSearchParams {
  return new URLSearchParams(/\?(.*)/s.exec(url)?.[1] ?? '');
}
