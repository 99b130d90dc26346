/** An HTTP server that records what it gets, in place of healthchecks, ntfy or Slack. */

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export class Receiver {
  readonly requests: Received[] = [];
  /** Status of the next answers. undefined: no answer at all. */
  answer: number | undefined = 200;
  #origin = '';
  #waiting: (() => void)[] = [];

  get origin(): string {
    return this.#origin;
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    const server = http.createServer((request, response) => {
      void receiver.#receive(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    receiver.#origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return receiver;
  }

  /** Resolves with the requests when there are `count`. */
  async until(count: number): Promise<readonly Received[]> {
    while (this.requests.length < count) {
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    }
    return this.requests;
  }

  async #receive(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const body = await text(request);
    const { method = '', url = '', headers } = request;
    this.requests.push({ method, path: url, headers, body });
    if (this.answer !== undefined) {
      response.writeHead(this.answer, { location: '/elsewhere' }).end('ok');
    }
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
