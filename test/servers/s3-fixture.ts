/** Our own server for each test of a file, and destinations that are closed with the test. */

import { Destination } from '@sluice/core';
import dns from 'node:dns';

import type { Logger, ReplicaClient } from '@sluice/core/backend';
import { afterEach, beforeEach, onTestFinished, vi } from 'vitest';
import { connectS3 } from './s3-access.ts';
import {
  start,
  type LoggedRequest,
  type Operation,
  type RunningS3,
  type StartOptions,
} from './s3/index.ts';

/** The minimum part size of S3. */
export const PART_BYTES: number = 5 * 1024 * 1024;

type Input = Record<string, unknown>;

export interface S3Fixture {
  readonly server: RunningS3;
  /** Replaces the server for this test. */
  restart(options: StartOptions): Promise<void>;
  connected(more?: Input, logger?: Logger): Promise<ReplicaClient>;
  /** Connects under another host name. All host names resolve to this machine until the test ends. */
  connectedTo(host: string, more?: Input): Promise<ReplicaClient>;
  /** With core's wrappers, without retry delays. */
  wrapped(): Promise<Destination>;
  noUploadIsLeft(): Promise<void>;
}

/** Call at the top of a test file. */
export function useS3(): S3Fixture {
  let server: RunningS3;
  beforeEach(async () => {
    server = await start();
  });
  afterEach(() => server.stop());

  const connected: S3Fixture['connected'] = async (more = {}, logger) => {
    const input = { 'part-size': PART_BYTES, ...more };
    const destination = await connectS3(server, input, logger === undefined ? {} : { logger });
    onTestFinished(() => destination.close());
    return destination;
  };
  return {
    get server() {
      return server;
    },
    async restart(options) {
      await server.stop();
      server = await start(options);
    },
    connected,
    async connectedTo(host, more = {}) {
      resolveAllNamesHere();
      return await connected({ endpoint: `http://${host}:${server.port}`, ...more });
    },
    async wrapped() {
      return new Destination(await connected(), { stallMs: STALL_MS, random: () => 0 });
    },
    async noUploadIsLeft() {
      await server.requests.until(() => server.raw.uploads().length === 0);
    },
  };
}

/** A stream without a byte for this long is retried. */
const STALL_MS = 1_000;

function resolveAllNamesHere(): void {
  const lookup = dns.lookup;
  const here = (_host: string, ...rest: [never]): void => lookup('127.0.0.1', ...rest);
  vi.spyOn(dns, 'lookup').mockImplementation(here as typeof dns.lookup);
  onTestFinished(() => void vi.restoreAllMocks());
}

/** The error that a promise rejects with. Throws if it does not reject. */
export async function rejectionOf(work: Promise<unknown>): Promise<Error> {
  return await work.then(
    () => {
      throw new Error('expected a rejection');
    },
    (error: Error) => error,
  );
}

/** The only request of this operation. Throws if there is not exactly one. */
export function only(server: RunningS3, operation: Operation): LoggedRequest {
  const [request, ...others] = server.requests.of(operation);
  if (request === undefined || others.length > 0) {
    throw new Error(`${operation} was sent ${others.length + (request ? 1 : 0)} times`);
  }
  return request;
}
