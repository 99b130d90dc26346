/** Log of all requests, for tests that verify what a client sends. */

import type { IncomingHttpHeaders } from 'node:http';
import type { Operation } from './options.ts';

export interface LoggedRequest {
  readonly operation: Operation;
  readonly method: string;
  /** As sent, with the query. */
  readonly url: string;
  readonly bucket: string;
  readonly key: string;
  readonly style: 'path' | 'virtual-host';
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Trailers of an aws-chunked body. */
  readonly trailers: Readonly<Record<string, string>>;
  /** Received bytes of the body, including aws-chunked framing. */
  readonly bodyBytes: number;
  /** Status of the response, or 0 if the connection was cut. */
  readonly status: number | undefined;
  /**
   * Round trips since the start, this one included: requests of one round did not wait for each
   * other. A request is in a later round than all those that were answered before it arrived.
   */
  readonly round: number;
  /** Error code of the response. */
  readonly code: string | undefined;
}

/** The same while the request is being handled. */
export type OpenRequest = { -readonly [Field in keyof LoggedRequest]: LoggedRequest[Field] };

export class RequestLog {
  readonly #entries: LoggedRequest[] = [];
  readonly #watchers: Set<() => void> = new Set();

  add(entry: LoggedRequest): void {
    this.#entries.push(entry);
    this.notify();
  }

  notify(): void {
    for (const watcher of this.#watchers) watcher();
  }

  all(): readonly LoggedRequest[] {
    return this.#entries;
  }

  of(operation: Operation): readonly LoggedRequest[] {
    return this.#entries.filter((entry) => entry.operation === operation);
  }

  clear(): void {
    this.#entries.length = 0;
  }

  /** Resolves when `accept` returns true for the log. It is called at each change. */
  async until(accept: (log: RequestLog) => boolean): Promise<void> {
    if (accept(this)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const watcher = (): void => {
      if (accept(this)) resolve();
    };
    this.#watchers.add(watcher);
    await promise.finally(() => this.#watchers.delete(watcher));
  }
}
