/**
 * A small Google Cloud Storage server for tests, with node:http only. It implements documented behavior
 * that fake-gcs-server gets wrong (conditions on reads and deletes, state queries of resumable uploads,
 * interrupted parts, short bodies, pages) and can inject faults (faults.ts). The conformance suite runs
 * with both servers, to keep them consistent.
 */

import type { Account } from './access.ts';
import type { LoggedRequest, Operation } from './exchange.ts';
import type { Faults } from './faults.ts';
import { GCSServer } from './server.ts';
import type { Uploads } from './uploads.ts';

export { serviceAccount, type Account, type Role } from './access.ts';
export type { LoggedRequest, Operation } from './exchange.ts';
export type { FaultKind } from './faults.ts';

export interface RunningGCS {
  /** "http://127.0.0.1:port" */
  readonly endpoint: string;
  readonly bucket: string;
  readonly faults: Faults;
  readonly uploads: Uploads;
  /** All requests so far. */
  readonly requests: readonly LoggedRequest[];
  requestsOf(operation: Operation): readonly LoggedRequest[];
  /** Resolves when `accept` returns true. Called for each event of a request or socket. */
  until(accept: () => boolean): Promise<void>;
  /** Number of open sockets. */
  readonly sockets: number;
  readonly raw: {
    keys(): readonly string[];
    get(key: string): { readonly bytes: Buffer; readonly metadata: object } | undefined;
    put(key: string, bytes: Uint8Array): void;
    /** Hides the bucket until the returned function is called. */
    hideBucket(): () => void;
  };
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly pageSizeMax?: number;
  readonly accounts?: readonly Account[];
}

export async function start(options: StartOptions = {}): Promise<RunningGCS> {
  const bucket = 'sluice-test';
  const server = new GCSServer({ bucket, ...options });
  await server.listen();
  return {
    endpoint: `http://127.0.0.1:${server.port}`,
    bucket,
    faults: server.faults,
    uploads: server.uploads,
    requests: server.log,
    requestsOf: (operation) => server.log.filter((entry) => entry.operation === operation),
    until: (accept) => server.until(accept),
    get sockets() {
      return server.sockets;
    },
    raw: {
      keys: () => server.store.keys(),
      get: (key) => server.store.get(key),
      put: (key, bytes) => void server.store.put(key, Buffer.from(bytes), {}),
      hideBucket: () => {
        server.isBucketThere = false;
        return () => {
          server.isBucketThere = true;
        };
      },
    },
    stop: () => server.close(),
  };
}
