/** Azurite behind a proxy that injects faults, for each test of a file, and destinations to it. */

import { Destination } from '@sluice/core';
import type { ReplicaClient } from '@sluice/core/backend';
import { afterAll, afterEach, beforeAll, beforeEach, onTestFinished } from 'vitest';
import { connectAzure, makeContainer } from './azure-access.ts';
import {
  startAzureProxy,
  type AzureProxy,
  type LoggedRequest,
  type Operation,
} from './azure-proxy.ts';
import { startAzurite, type Azurite } from './azurite.ts';

/** The minimum block size. */
export const BLOCK_BYTES: number = 1024 * 1024;

type Input = Record<string, unknown>;

export interface AzureFixture {
  readonly proxy: AzureProxy;
  connected(more?: Input): Promise<ReplicaClient>;
  /** With core's wrappers, without retry delays. */
  wrapped(more?: Input): Promise<Destination>;
}

/** Call inside `describeWith(['azurite'], …)`. Each test gets its own container. */
export function useAzure(): AzureFixture {
  let server: Azurite;
  let proxy: AzureProxy;
  let count = 0;
  beforeAll(async () => {
    server = await startAzurite();
  });
  beforeEach(async () => {
    const place = { ...server, container: `test-${(count += 1)}` };
    await makeContainer(place);
    proxy = await startAzureProxy(place);
  });
  afterEach(() => proxy.stop());
  afterAll(() => server.stop());

  const connected: AzureFixture['connected'] = async (more = {}) => {
    const destination = await connectAzure(proxy.place, { 'part-size': BLOCK_BYTES, ...more });
    onTestFinished(() => destination.close());
    return destination;
  };
  return {
    get proxy() {
      return proxy;
    },
    connected,
    async wrapped(more) {
      return new Destination(await connected(more), { random: () => 0 });
    },
  };
}

/** The only request of this operation. Throws if there is not exactly one. */
export function onlyRequest(proxy: AzureProxy, operation: Operation): LoggedRequest {
  const [request, ...others] = proxy.of(operation);
  if (request !== undefined && others.length === 0) return request;
  throw new Error(`${operation} was sent ${proxy.of(operation).length} times`);
}
