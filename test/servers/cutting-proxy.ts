/** A TCP proxy that cuts a client's connection while it sends. */

import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

export interface CuttingProxy {
  /** "http://127.0.0.1:port" */
  readonly endpoint: string;
  /** Cuts the next connection after this many bytes from its client. The server sees a disconnect. */
  cutNextAfter(bytes: number): void;
  /** Connections that were cut. */
  readonly cuts: number;
  stop(): Promise<void>;
}

export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let cutAfter: number | undefined;
  let cuts = 0;

  const server = createServer((client) => {
    const upstream = createConnection(Number(port), hostname);
    const limit = cutAfter;
    cutAfter = undefined;
    let passed = 0;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => undefined); // 'close' ends the other side
    }
    client.on('data', (chunk: Buffer) => {
      const passes = limit === undefined ? chunk.byteLength : Math.max(limit - passed, 0);
      passed += chunk.byteLength;
      if (passes >= chunk.byteLength) {
        upstream.write(chunk);
        return;
      }
      cuts += 1;
      upstream.end(chunk.subarray(0, passes)); // the bytes arrive before the end
      client.destroy();
    });
    upstream.on('data', (chunk: Buffer) => client.write(chunk));
    client.on('close', () => upstream.end());
    upstream.on('close', () => client.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutNextAfter(bytes) {
      cutAfter = bytes;
    },
    get cuts() {
      return cuts;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
