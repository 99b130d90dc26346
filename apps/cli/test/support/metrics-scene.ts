/** The HTTP server of a replicator with a database of given status. */

import { onTestFinished } from 'vitest';
import type { DatabaseStatus } from '@sluice/core';
import { Calls } from '../../src/counted-client.ts';
import { providerOf } from '../../src/costing/prices.ts';
import type { Place } from '../../src/http/metrics/destinations.ts';
import { CONTENT_TYPE, writeMetrics, type MetricsInput } from '../../src/http/metrics/metrics.ts';
import type { Mount } from '../../src/http/mounts.ts';
import { createRoutes } from '../../src/http/routes.ts';
import { serveHTTP, type HTTPServer } from '../../src/http/server.ts';
import { createLogger } from '../../src/log.ts';
import { Secrets } from '../../src/secrets.ts';
import type { LastResults } from '../../src/status/last-results.ts';
import { Capture } from './shell.ts';

export const STATUS: DatabaseStatus = {
  path: '/data/app.db',
  state: 'following',
  at: '2026-01-31T12:00:00.000Z',
  pid: 1,
  txid: '000000000000002a',
  pageSize: 4096,
  stagedFiles: 1,
  stagedBytes: 10,
  commitsSeen: 7,
  lastCommitAt: '2026-01-31T11:59:59.250Z',
  logBytes: 8_240,
  unstaged: { commits: 2, logBytes: 1_000 },
  stagingMaxBytes: 1_073_741_824,
  checkpoints: { count: 3, seconds: 0.125 },
  errors: { STAGING_FULL: 2 },
  walBytes: 4152,
  healthy: true,
  problems: [],
  writer: { pid: 1, host: 'h', boot: '', monotonicMs: 0, heartbeatMs: 10_000 },
  marks: undefined,
  facts: {
    absence: undefined,
    failure: undefined,
    threadSilentMs: 0,
    lookAgeMs: 0,
    stagedAgeMs: 0,
    imageStalledMs: 0,
    recordStalledMs: 0,
    stateFileAgeMs: 0,
    freshMs: 3_000,
    destinations: [],
  },
  compaction: [
    {
      level: 1,
      txid: '0000000000000029',
      stagedFiles: 1,
      stagedBytes: 10,
      merges: 3,
      mergedBytes: 300,
      failures: 1,
    },
  ],
  error: undefined,
  destinations: [
    {
      name: 's3-eu',
      type: 's3',
      target: 's3://b/p',
      state: 'streaming',
      txid: '000000000000002a',
      lagSeconds: 0,
      pendingFiles: 0,
      pendingBytes: 0,
      bytesSent: 4096,
      files: 12,
      bytes: 99_000,
      retention: { seconds: 259_200, deletedFiles: 5, deletedBytes: 500, refusal: undefined },
      lastSuccessAt: '2026-01-31T12:00:00.500Z',
      lastError: undefined,
    },
    {
      name: 'disk',
      type: 'file',
      target: 'file:///b',
      state: 'failing',
      txid: undefined,
      lagSeconds: 12.5,
      pendingFiles: 3,
      pendingBytes: 77,
      lagBytes: 1_077,
      errors: { REPLICA_UNAVAILABLE: 4 },
      bytesSent: 0,
      lastSuccessAt: undefined,
      lastError: undefined,
    },
  ],
};

const NO_RESULTS: ReadonlyMap<string, LastResults> = new Map();

/** One scrape. */
export function scrape(input: Partial<MetricsInput> = {}): string {
  const parts = writeMetrics({
    databases: [STATUS],
    results: NO_RESULTS,
    restores: new Map(),
    placeOf: () => undefined,
    process: { version: '0.0.0', startedAt: 1 },
    now: Date.parse('2026-02-01T12:01:00.000Z'),
    names: 'ours',
    ...input,
  });
  return Buffer.concat([...parts]).toString();
}

/** With calls of some operations, one of which failed. */
export function somePlace(): Place {
  const calls = new Calls();
  calls.add('list', 'ok');
  calls.add('put', 'ok');
  calls.add('put', 'ok');
  calls.add('put', 'error');
  calls.writtenBytes = 300;
  calls.readBytes = 20;
  const prices = providerOf('aws-s3');
  if (prices === undefined) throw new Error('there are no prices of S3');
  return { calls, prices };
}

export interface Served {
  readonly server: HTTPServer;
  readonly stream: Capture;
  readonly get: (path: string, init?: RequestInit) => Promise<Response>;
}

export interface ServeOptions {
  readonly addr?: string;
  readonly status?: () => readonly DatabaseStatus[];
  readonly results?: ReadonlyMap<string, LastResults>;
  readonly mounts?: readonly Mount[];
}

export async function serve(options: ServeOptions = {}): Promise<Served> {
  const { addr = ':0', status = () => [STATUS], results = NO_RESULTS, mounts } = options;
  const stream = new Capture();
  const logger = createLogger({ level: 'info', type: 'text', stream, secrets: new Secrets() });
  const routes = createRoutes({
    status,
    readResults: () => Promise.resolve(results),
    metrics: (databases, last) => {
      return {
        code: 200,
        type: CONTENT_TYPE,
        body: [Buffer.from(scrape({ databases, results: last }))],
      };
    },
  });
  const server = await serveHTTP({ addr, routes, mounts, logger });
  onTestFinished(() => server.close());
  return {
    server,
    stream,
    get: (path, init) => fetch(`http://${server.address}${path}`, init),
  };
}
