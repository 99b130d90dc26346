/** One container: the state that its requests share, and how one is sent. */

import type { Agent } from 'node:http';

import type { ContainerClient } from '@azure/storage-blob';
import type { Logger, ReplicationError } from '@sluice/core/backend';
import type {
  Call,
  PartMemory,
  RequestOptions,
  Requests,
  WhenAborted,
} from '@sluice/core/backend/http';
import type { Access } from './sdk.ts';
import type { AzureConfig } from './config.ts';
import { toReplicationError } from './errors.ts';

/** Where Litestream keeps the time of a file; names of metadata have no hyphens here. */
export const TIMESTAMP = 'litestreamtimestamp';

export interface Container {
  readonly config: AzureConfig;
  readonly access: Access;
  readonly agent: Agent;
  readonly requests: Requests;
  readonly memory: PartMemory;
  readonly logger: Logger;
}

/** Rethrows an abort's reason untouched; gives everything else a code. */
export async function request<Result>(
  { access, requests }: Container,
  call: Call,
  whenAborted: WhenAborted,
  send: (client: ContainerClient, abortSignal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  return await requests.request(optionsOf(call, whenAborted), async (abortSignal) =>
    send(await access.client(call.what), abortSignal),
  );
}

/** Of one request. */
export function optionsOf({ what, signal }: Call, whenAborted: WhenAborted): RequestOptions {
  const toError = (error: unknown): ReplicationError => toReplicationError(error, what);
  return { signals: [signal], whenAborted, toError };
}

/** Headers have ETags in quotes, listings have not. */
export function versionOf(etag: string | undefined): string {
  return etag === undefined ? '' : `"${etag.replaceAll('"', '')}"`;
}
