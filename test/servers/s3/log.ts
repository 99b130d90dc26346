/** Every request as it came over the wire, for tests that assert what a client sends. */

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
  /** Of an aws-chunked body. */
  readonly trailers: Readonly<Record<string, string>>;
  /** Bytes of body that have arrived, framing of aws-chunked included. */
  readonly bodyBytes: number;
  /** Once answered; 0 where the connection was cut instead. */
  readonly status: number | undefined;
  /** The code of the error that was answered. */
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

  /** Resolves when `accept` holds for what was logged so far; it is asked at each change. */
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
