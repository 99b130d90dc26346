/** An HTTP proxy that counts requests. */

import http from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** Requests by the kinds that providers bill. */
export interface CountedRequests {
  /** Writes: PUT, copies and the requests of uploads in parts. */
  readonly put: number;
  readonly get: number;
  readonly list: number;
  readonly delete: number;
}

export interface CountingProxy {
  /** http://127.0.0.1:port, in front of the server. */
  readonly endpoint: string;
  /** Number of requests since the last call. */
  take(): number;
  /** The same by kind, as S3 bills them. */
  takeByKind(): CountedRequests;
  stop(): Promise<void>;
}

export async function startCountingProxy(upstream: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(upstream);
  const requests: (keyof CountedRequests)[] = [];
  const server = http.createServer((request, response) => {
    const { method, url: path, headers } = request;
    requests.push(kindOf(method, path));
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
      return requests.splice(0).length;
    },
    takeByKind() {
      const taken = requests.splice(0);
      const count = (kind: keyof CountedRequests): number =>
        taken.filter((each) => each === kind).length;
      return { put: count('put'), get: count('get'), list: count('list'), delete: count('delete') };
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function kindOf(method = 'GET', path = ''): keyof CountedRequests {
  const query = new URL(path, 'http://localhost').searchParams;
  if (method === 'DELETE' || (method === 'POST' && query.has('delete'))) return 'delete';
  if (method === 'PUT' || method === 'POST') return 'put';
  return query.has('list-type') || query.has('uploads') ? 'list' : 'get';
}
