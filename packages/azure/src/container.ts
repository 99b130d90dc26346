/** One container: what its requests share, and how one is sent. */

import type { Agent } from 'node:http';
import type { Readable } from 'node:stream';
import type { ContainerClient } from '@azure/storage-blob';
import type {
  Budget,
  KeyedCall,
  Limiter,
  ReplicationError,
  WhenAborted,
  Work,
} from '@sluice/core/backend';
import type { Access } from './sdk.ts';
import type { AzureConfig } from './config.ts';
import { toReplicationError } from './errors.ts';

/** Where Litestream keeps the time of a file; names of metadata have no hyphens here. */
export const TIMESTAMP = 'litestreamtimestamp';

export interface Container {
  readonly config: AzureConfig;
  readonly access: Access;
  readonly work: Work;
  /** Requests at once. A read gives its slot back with the first byte: see `holdSocket`. */
  readonly slots: Limiter;
  readonly budget: Budget;
  readonly agent: Agent;
}

/** Rethrows an abort's reason untouched; gives everything else a code. */
export async function request<Result>(
  { access, slots, work }: Container,
  { what, signal }: KeyedCall,
  whenAborted: WhenAborted,
  send: (client: ContainerClient, abortSignal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const toError = (error: unknown): ReplicationError => toReplicationError(error, what);
  return await slots.run(signal, async () =>
    work.request({ signals: [signal], whenAborted, toError }, async (abortSignal) =>
      send(await access.client(what), abortSignal),
    ),
  );
}

/**
 * A body that is being read has a socket of its own until it has been read: no other call may wait
 * for that, however many are open.
 */
export function holdSocket({ agent }: Container, body: Readable): void {
  agent.maxSockets += 1;
  body.once('close', () => (agent.maxSockets -= 1));
}

/** Headers have ETags in quotes, listings have not. */
export function versionOf(etag: string | undefined): string {
  return `"${(etag ?? '').replaceAll('"', '')}"`;
}
