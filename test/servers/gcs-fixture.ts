/** Our own server for each test of a file, and destinations that are closed with the test. */

import { Destination } from '@sluice/core';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

import type { Logger, ReplicaClient } from '@sluice/core/backend';
import { afterEach, beforeEach, onTestFinished } from 'vitest';
import { connectGCS } from './gcs-access.ts';
import { start, type LoggedRequest, type Operation, type RunningGCS } from './gcs/index.ts';

/** The minimum part size, to keep test files small. */
export const PART_BYTES: number = 256 * 1024;

type Input = Record<string, unknown>;

export interface GCSFixture {
  readonly server: RunningGCS;
  connected(more?: Input, logger?: Logger): Promise<ReplicaClient>;
  /** With core's wrappers, without retry delays. */
  wrapped(more?: Input): Promise<Destination>;
  /** The only request of this operation. Throws if there is not exactly one. */
  only(operation: Operation): LoggedRequest;
  statuses(operation: Operation): (number | undefined)[];
}

/** Call at the top of a test file. */
export function useGCS(): GCSFixture {
  let server: RunningGCS;
  beforeEach(async () => {
    server = await start();
  });
  afterEach(() => server.stop());

  const connected: GCSFixture['connected'] = async (more = {}, logger) => {
    const input = { 'part-size': PART_BYTES, ...more };
    const destination = await connectGCS(server, input, logger === undefined ? {} : { logger });
    onTestFinished(() => destination.close());
    return destination;
  };
  return {
    get server() {
      return server;
    },
    connected,
    async wrapped(more) {
      return new Destination(await connected(more), { stallMs: STALL_MS, random: () => 0 });
    },
    only(operation) {
      const [request, ...others] = server.requestsOf(operation);
      if (request !== undefined && others.length === 0) return request;
      throw new Error(`${operation} was sent ${others.length + (request ? 1 : 0)} times`);
    },
    statuses: (operation) => server.requestsOf(operation).map(({ status }) => status),
  };
}

/**
 * Counts the maximum number of sockets that this process has open at once, from now on. A count on the
 * server would include sockets that are closing.
 */
export function countSockets(): { readonly max: number } {
  const count = { now: 0, max: 0 };
  const onSocket = (message: unknown): void => {
    count.now += 1;
    count.max = Math.max(count.max, count.now);
    (message as { socket: Socket }).socket.once('close', () => (count.now -= 1));
  };
  subscribe('net.client.socket', onSocket);
  onTestFinished(() => void unsubscribe('net.client.socket', onSocket));
  return count;
}

/** A stream without a byte for this long is retried. */
const STALL_MS = 1_000;
