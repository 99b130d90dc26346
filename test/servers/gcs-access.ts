/** Connects to a bucket of a test server, as a destination or with plain HTTP. */

import type { ConnectContext, Logger, ReplicaClient } from '@sluice/core/backend';
import { complete } from '@sluice/core/backend/testing';
import { backend } from '@sluice/gcs';
import { parseConfig } from '@sluice/core/backend';

export interface GCSPlace {
  /** undefined for the SDK's own default. */
  readonly endpoint: string | undefined;
  readonly bucket: string;
}

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export async function connectGCS(
  { endpoint, bucket }: GCSPlace,
  more: Record<string, unknown> = {},
  context: Partial<ConnectContext> = {},
): Promise<ReplicaClient> {
  const { config } = parseConfig(backend, {
    type: 'gs',
    bucket,
    ...(endpoint !== undefined && { endpoint }),
    ...more,
  });
  return complete(await backend.connect(config, { logger: SILENT, access: 'write', ...context }));
}

/** Uploads an object with plain HTTP. */
export async function rawPut(place: GCSPlace, key: string, bytes: Uint8Array): Promise<void> {
  const name = encodeURIComponent(key);
  const url = `${place.endpoint}/upload/storage/v1/b/${place.bucket}/o?uploadType=media&name=${name}`;
  const answer = await fetch(url, { method: 'POST', body: bytes });
  if (!answer.ok) throw new Error(`put ${key}: ${answer.status} ${await answer.text()}`);
}

export async function rawKeys(place: GCSPlace, prefix: string): Promise<string[]> {
  const url = `${place.endpoint}/storage/v1/b/${place.bucket}/o?prefix=${encodeURIComponent(prefix)}`;
  const answer = await fetch(url);
  const { items = [] } = (await answer.json()) as { items?: readonly { name: string }[] };
  return items.map(({ name }) => name);
}
