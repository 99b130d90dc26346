/** One container: what its requests share, and how one is sent. */

import type { ContainerClient } from '@azure/storage-blob';
import type {
  Budget,
  Logger,
  StoreCall,
  ReplicationError,
  RequestOptions,
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
  readonly budget: Budget;
  readonly logger: Logger;
}

/** Rethrows an abort's reason untouched; gives everything else a code. */
export async function request<Result>(
  { access, work }: Container,
  call: StoreCall,
  whenAborted: WhenAborted,
  send: (client: ContainerClient, abortSignal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  return await work.request(optionsOf(call, whenAborted), async (abortSignal) =>
    send(await access.client(call.what), abortSignal),
  );
}

/** Of one request. */
export function optionsOf({ what, signal }: StoreCall, whenAborted: WhenAborted): RequestOptions {
  const toError = (error: unknown): ReplicationError => toReplicationError(error, what);
  return { signals: [signal], whenAborted, toError };
}

/** Headers have ETags in quotes, listings have not. */
export function versionOf(etag: string | undefined): string {
  return etag === undefined ? '' : `"${etag.replaceAll('"', '')}"`;
}
