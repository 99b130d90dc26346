/**
 * A proxy for any HTTP server in which each request is a step: a test can act before the request is
 * forwarded or before it is answered, and can drop the response. A complete request is forwarded even if
 * its client has disconnected, as in a real network.
 */

import { once } from 'node:events';
import {
  Agent,
  createServer,
  request as send,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { Steps } from './steps.ts';

export interface StepProxy {
  /** "http://127.0.0.1:port" */
  readonly origin: string;
  readonly port: number;
  readonly steps: Steps;
  /** Requests so far, as "GET /bucket/key". */
  readonly requests: readonly string[];
  stop(): Promise<void>;
}

/** Longer than any test, so that only clients close sockets. */
const KEEP_ALIVE_MS = 600_000;

export async function startStepProxy(upstream: string): Promise<StepProxy> {
  const { origin: theirs, hostname: host, port } = new URL(upstream);
  const agent = new Agent({ keepAlive: true });
  const steps = new Steps();
  const requests: string[] = [];
  let ours = '';

  const forward = async (
    { method, url: path, headers }: IncomingMessage,
    body: Buffer,
  ): Promise<IncomingMessage> => {
    const forwarded = send({ host, port, method, path, headers, agent });
    forwarded.end(body);
    const [answer] = (await once(forwarded, 'response')) as [IncomingMessage];
    return answer;
  };

  const handle = async (from: IncomingMessage, to: ServerResponse): Promise<void> => {
    const body = await buffer(from);
    requests.push(`${from.method} ${from.url}`);
    const step = steps.next();
    if (step?.moment === 'before') step.act();
    const answer = await forward(from, body);
    const bytes = await buffer(answer);
    if (step?.moment === 'after') step.act();
    if (step?.moment === 'lost') {
      step.act();
      to.destroy();
      return;
    }
    const { location, ...headers } = answer.headers;
    to.writeHead(answer.statusCode ?? 0, {
      ...headers,
      // The rest of an upload must go through this proxy too.
      ...(location !== undefined && { location: location.replace(theirs, ours) }),
    });
    to.end(bytes);
  };

  const server = createServer((from, to) => {
    handle(from, to).catch(() => to.destroy()); // pass a disconnect on to the other side
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  ours = `http://127.0.0.1:${address.port}`;
  return {
    origin: ours,
    port: address.port,
    steps,
    requests,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      agent.destroy();
    },
  };
}
