/**
 * A proxy before any HTTP server, for which each request is a step: it may be watched before it is
 * done and before it is answered, and its answer may be lost. What has come whole is done, also where
 * its client has gone away: so networks are.
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
  /** That came so far: "GET /bucket/key". */
  readonly requests: readonly string[];
  stop(): Promise<void>;
}

/** Longer than any test: what closes a socket is its client. */
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
      // Where an upload goes on: through here.
      ...(location !== undefined && { location: location.replace(theirs, ours) }),
    });
    to.end(bytes);
  };

  const server = createServer((from, to) => {
    handle(from, to).catch(() => to.destroy()); // a side that leaves is told to the other
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
