/**
 * A forward proxy: it forwards requests and opens tunnels. It resolves every host name to this machine,
 * so that a test server can have any name.
 */

import { once } from 'node:events';
import { createServer, request as send } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';

export interface ForwardProxy {
  /** "http://127.0.0.1:port" */
  readonly url: string;
  /** "GET http://host:port/path" of requests, "CONNECT host:port" of tunnels. */
  readonly seen: readonly string[];
  /** Refuses all further tunnels and requests. */
  refuse(): void;
  stop(): Promise<void>;
}

export async function startForwardProxy(): Promise<ForwardProxy> {
  const seen: string[] = [];
  const tunnels = new Set<Socket>();
  let isOpen = true;
  const server = createServer((from, to) => {
    const { method = '', url = '', headers } = from;
    seen.push(`${method} ${url}`);
    if (!isOpen) {
      to.writeHead(403).end();
      return;
    }
    const { port, pathname, search } = new URL(url);
    const options = { host: '127.0.0.1', port, path: pathname + search, method, headers };
    const passed = send(options, (answer) => {
      to.writeHead(answer.statusCode ?? 0, answer.headers);
      void pipeline(answer, to).catch(() => to.destroy());
    });
    void pipeline(from, passed).catch(() => to.destroy());
  });
  server.on('connect', ({ url = '' }, socket: Socket) => {
    seen.push(`CONNECT ${url}`);
    if (!isOpen) {
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      return;
    }
    const target = connect(Number(url.split(':').at(-1)), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      void pipeline(socket, target, socket).catch(() => undefined); // either side may disconnect first
    });
    target.on('error', () => socket.destroy());
    tunnels.add(socket.once('close', () => tunnels.delete(socket)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    refuse: () => void (isOpen = false),
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      for (const tunnel of tunnels) tunnel.destroy();
      await closed;
    },
  };
}
