/** Serves a handler of web requests by node:http, as an application would. */

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { DashboardHandler } from '../../src/index.ts';

export interface Served {
  readonly url: string;
  readonly port: number;
  /** Ends all connections, and accepts none until `start`. */
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
}

/** Stops when the test ends. */
export async function serve(handler: DashboardHandler): Promise<Served> {
  const first = await listen(handler, 0);
  let server: http.Server | undefined = first;
  const { port } = first.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    const ended = server;
    server = undefined;
    if (ended === undefined) return;
    ended.closeAllConnections();
    await new Promise<void>((resolve) => ended.close(() => resolve()));
  };
  const start = async (): Promise<void> => {
    server = await listen(handler, port);
  };
  onTestFinished(stop);
  return { url: `http://127.0.0.1:${port}`, port, stop, start };
}

async function listen(handler: DashboardHandler, port: number): Promise<http.Server> {
  const server = http.createServer((incoming, outgoing) => {
    respond(handler, incoming, outgoing).catch((error: unknown) => {
      outgoing.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}

async function respond(
  handler: DashboardHandler,
  incoming: http.IncomingMessage,
  outgoing: http.ServerResponse,
): Promise<void> {
  const stop = new AbortController();
  outgoing.once('close', () => stop.abort());
  const hasBody = incoming.method !== 'GET' && incoming.method !== 'HEAD';
  const request = new Request(`http://${incoming.headers.host}${incoming.url}`, {
    method: incoming.method ?? 'GET',
    headers: Object.entries(incoming.headersDistinct).flatMap(([name, values = []]) =>
      values.map((value): [string, string] => [name, value]),
    ),
    body: hasBody ? Readable.toWeb(incoming) : null,
    signal: stop.signal,
    duplex: 'half',
  });
  const response = (await handler(request)) ?? new Response('not here\n', { status: 404 });
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body === null) {
    outgoing.end();
    return;
  }
  const reader = response.body.getReader();
  stop.signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined));
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (!outgoing.write(value)) await new Promise((resolve) => outgoing.once('drain', resolve));
  }
  outgoing.end();
}
