/** What the parts of one destination share, and how they send a request. */

import type { Agent } from 'node:http';
import type { ContainerClient } from '@azure/storage-blob';
import type { Budget, Limiter, WhenAborted, Work } from '@sluice/core/backend';
import type { AzureConfig } from './config.ts';
import type { ContainerAccess } from './container.ts';
import { toReplicationError } from './errors.ts';

export interface Place {
  /** "abs://container" */
  readonly name: string;
  readonly config: AzureConfig;
  readonly container: ContainerAccess;
  readonly work: Work;
  /** Requests at once. A read gives its slot back with the first byte: see `holdSocket`. */
  readonly slots: Limiter;
  readonly budget: Budget;
  readonly agent: Agent;
}

export interface Request {
  /** What is done, to what: for messages. */
  readonly what: string;
  readonly signal: AbortSignal | undefined;
}

/** Rethrows an abort's reason untouched; gives everything else a code. */
export async function request<Result>(
  place: Place,
  { what, signal }: Request,
  whenAborted: WhenAborted,
  send: (container: ContainerClient, abortSignal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const toError = (error: unknown): ReturnType<typeof toReplicationError> =>
    toReplicationError(error, what);
  return await place.slots.run(signal, async () =>
    place.work.request({ signals: [signal], whenAborted, toError }, async (abortSignal) =>
      send(await place.container.client(what), abortSignal),
    ),
  );
}

/**
 * A body that is being read has a socket of its own until it has been read: no other call may wait
 * for that, however many are open. Returns what takes the socket back.
 */
export function holdSocket({ agent }: Place): () => void {
  agent.maxSockets += 1;
  return () => void (agent.maxSockets -= 1);
}
