/** Servers that do not help: one never responds, one does not listen, one denies everything. */

import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** Accepts connections, like a machine whose disk hangs. */
export interface SilentServer {
  readonly endpoint: string;
  /** Resolves after the first connection. */
  readonly connected: Promise<unknown>;
}

export async function startSilentServer(): Promise<SilentServer> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined); // clients disconnect with a reset
  });
  const connected = once(server, 'connection');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, connected };
}

/** An address where nothing listens. */
export async function closedEndpoint(): Promise<string> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

/** An S3 server that denies every request. */
export async function denyingEndpoint(): Promise<string> {
  const body = '<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>';
  const server = http.createServer((request, response) => {
    request.resume();
    response.writeHead(403, { 'content-type': 'application/xml', 'x-amz-request-id': '1' });
    response.end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
