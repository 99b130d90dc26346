/** A server of our own for each test of a file, and destinations to it that end with the test. */

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

/** The least that S3 takes. */
export const PART_BYTES: number = 5 * 1024 * 1024;

type Input = Record<string, unknown>;

export interface S3Fixture {
  readonly server: RunningS3;
  /** Another server instead, for this test. */
  restart(options: StartOptions): Promise<void>;
  connected(more?: Input, logger?: Logger): Promise<ReplicaClient>;
  /** The same server under another name: every name is this machine's until the test ends. */
  connectedTo(host: string, more?: Input): Promise<ReplicaClient>;
  /** As the engine uses it, in a hurry. */
  wrapped(): Promise<Destination>;
  noUploadIsLeft(): Promise<void>;
}

/** To be called at the top of a test file. */
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
      everyNameIsHere();
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

/** A stream without a byte for so long is tried again. */
const STALL_MS = 1_000;

function everyNameIsHere(): void {
  const lookup = dns.lookup;
  const here = (_host: string, ...rest: [never]): void => lookup('127.0.0.1', ...rest);
  vi.spyOn(dns, 'lookup').mockImplementation(here as typeof dns.lookup);
  onTestFinished(() => void vi.restoreAllMocks());
}

/** What a promise rejects with. Fails when it does not. */
export async function rejectionOf(work: Promise<unknown>): Promise<Error> {
  return await work.then(
    () => {
      throw new Error('it was done');
    },
    (error: Error) => error,
  );
}

/** The one request of its kind. */
export function only(server: RunningS3, operation: Operation): LoggedRequest {
  const [request, ...others] = server.requests.of(operation);
  if (request === undefined || others.length > 0) {
    throw new Error(`${operation} was sent ${others.length + (request ? 1 : 0)} times`);
  }
  return request;
}
