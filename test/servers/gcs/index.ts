/**
 * A small Google Cloud Storage for tests: node:http and nothing else. It does what Google documents
 * and fake-gcs-server gets wrong: conditions on reads and deletes, the questions of a resumable
 * upload, parts that break off, short bodies, pages; and it can be made to fail (faults.ts).
 * The conformance suite runs over both, so that neither drifts away alone.
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
  /** What came over the wire. */
  readonly requests: readonly LoggedRequest[];
  requestsOf(operation: Operation): readonly LoggedRequest[];
  /** Resolves when `accept` holds; it is asked whenever a request begins or ends, or a socket ends. */
  until(accept: () => boolean): Promise<void>;
  /** That are open. */
  readonly sockets: number;
  readonly raw: {
    keys(): readonly string[];
    get(key: string): { readonly bytes: Buffer; readonly metadata: object } | undefined;
    put(key: string, bytes: Uint8Array): void;
    /** The bucket is not there until what is returned is called. */
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
