/** An HTTP proxy that counts requests. */

import http from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

export interface CountingProxy {
  /** http://127.0.0.1:port, in front of the server. */
  readonly endpoint: string;
  /** Number of requests since the last call. */
  take(): number;
  stop(): Promise<void>;
}

export async function startCountingProxy(upstream: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(upstream);
  let requests = 0;
  const server = http.createServer((request, response) => {
    requests += 1;
    const { method, url: path, headers } = request;
    // The Host header is unchanged, because signatures cover it.
    const passed = http.request({ hostname, port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    request.pipe(passed);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take() {
      const taken = requests;
      requests = 0;
      return taken;
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
