/** A server of our own for each test of a file, and destinations to it that end with the test. */

import { Destination } from '@sluice/core';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

import type { Logger, ReplicaClient } from '@sluice/core/backend';
import { afterEach, beforeEach, onTestFinished } from 'vitest';
import { connectGCS } from './gcs-access.ts';
import { start, type LoggedRequest, type Operation, type RunningGCS } from './gcs/index.ts';

/** The least that there is, so that bodies in parts stay small. */
export const PART_BYTES: number = 256 * 1024;

type Input = Record<string, unknown>;

export interface GCSFixture {
  readonly server: RunningGCS;
  connected(more?: Input, logger?: Logger): Promise<ReplicaClient>;
  /** As the engine uses it, in a hurry. */
  wrapped(more?: Input): Promise<Destination>;
  /** The one request of its kind. */
  only(operation: Operation): LoggedRequest;
  statuses(operation: Operation): (number | undefined)[];
}

/** To be called at the top of a test file. */
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
 * Sockets that this process opens from now on, and how many of them at once at most. A server would
 * count one that is closing beside the one that takes its place.
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

/** A stream without a byte for so long is tried again. */
const STALL_MS = 1_000;
