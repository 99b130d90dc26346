/** A container with one set of credentials: what its requests are. Core makes replicas of them. */

import type { Readable } from 'node:stream';
import type { ContainerListBlobFlatSegmentResponse } from '@azure/storage-blob';
import {
  Budget,
  httpAgent,
  keyedDestination,
  mendEnvironment,
  parseTimestamp,
  ReplicationError,
  sizeOfContentRange,
  Work,
  type ConnectContext,
  type Destination,
  type StoreCall,
  type KeyedCopied,
  type KeyedDeletion,
  type KeyedOpened,
  type KeyedOpening,
  type KeyedPage,
  type KeyedPaging,
} from '@sluice/core/backend';
import type { AzureConfig } from './config.ts';
import { optionsOf, request, TIMESTAMP, versionOf, type Container } from './container.ts';
import { toReplicationError } from './errors.ts';
import { accessTo } from './sdk.ts';
import { upload } from './upload.ts';

/** The server copies no larger blobs in one request. */
const COPY_BYTES_MAX = 256 * 1024 * 1024;

/** What the SDK and @azure/identity read by themselves. */
const VARIABLES = /^(AZURE_|IDENTITY_|MSI_)/;

/** Sends nothing: what is not right is told by the first call. But see `accessTo`. */
export async function connect(
  config: AzureConfig,
  { logger, access: use }: ConnectContext,
): Promise<Destination> {
  for (const line of mendEnvironment(VARIABLES)) logger.info(line);
  const name = `abs://${config.container}`;
  const agent = httpAgent(config.endpoint.startsWith('http:') ? 'http:' : 'https:');
  const access = await accessTo(config, agent);
  const work = new Work(name);
  const budget = new Budget(config.blocksAtOnce * config.blockSizeBytes);
  const container: Container = { config, access, work, budget, logger };
  return keyedDestination({
    name,
    layout: 'tree',
    capabilities: { ranges: true, ifAbsent: 'any-size' },
    access: use,
    work,
    listPage: (call) => listPage(container, call),
    open: (key, call) => openBlob(container, key, call),
    bodyError: brokenOff,
    put: (of) => upload(container, of),
    delete: (key, call) => deleteBlob(container, key, call),
    copy: (from, to, call) => copyBlob(container, from, to, call),
    close: () => agent.destroy(),
  });
}

async function listPage(container: Container, call: KeyedPaging): Promise<KeyedPage> {
  const { prefix, startAfter, pageToken } = call;
  type Page = ContainerListBlobFlatSegmentResponse;
  const page = await request(container, call, 'cut', async (client, abortSignal): Promise<Page> => {
    const seek = startAfter === undefined ? {} : { startFrom: startAfter };
    const list = client.listBlobsFlat({ prefix, includeMetadata: true, abortSignal, ...seek });
    const next = pageToken === undefined ? {} : { continuationToken: pageToken };
    return (await list.byPage(next).next()).value as Page;
  });
  const { segment, continuationToken = '' } = page;
  return {
    objects: segment.blobItems.map(({ name, properties, metadata = {} }) => ({
      key: name,
      sizeBytes: properties.contentLength ?? NaN,
      modifiedAt: properties.lastModified,
      version: versionOf(properties.etag),
      createdAt: parseTimestamp(metadata[TIMESTAMP] ?? ''),
    })),
    nextPageToken: continuationToken === '' ? undefined : continuationToken,
  };
}

async function openBlob(
  { access, work }: Container,
  key: string,
  call: KeyedOpening,
): Promise<KeyedOpened> {
  const { start = 0, end } = call.range ?? {};
  const count = end === undefined ? undefined : end - start;
  return await work.open(optionsOf(call, 'cut'), async (abortSignal) => {
    const client = await access.client(call.what);
    const answer = await client.getBlobClient(key).download(start, count, {
      conditions: ifMatch(call.version),
      abortSignal,
      maxRetryRequests: 0, // core goes on where a body stops
    });
    return {
      sizeBytes: sizeOfContentRange(answer.contentRange) ?? answer.contentLength ?? 0,
      modifiedAt: answer.lastModified ?? new Date(0),
      version: versionOf(answer.etag),
      stream: answer.readableStreamBody as Readable,
    };
  });
}

function brokenOff(error: unknown, what: string): ReplicationError {
  const named = toReplicationError(error, what);
  if (named.code !== 'REPLICA_UNKNOWN') return named;
  // The SDK has several words for a connection that ends before the body does, and no code.
  return new ReplicationError('REPLICA_UNAVAILABLE', `${named.message}; the body broke off`);
}

async function deleteBlob(container: Container, key: string, call: KeyedDeletion): Promise<void> {
  const conditions = ifMatch(call.version);
  await request(container, call, 'settle', (client, abortSignal) =>
    client.getBlobClient(key).delete({ conditions, abortSignal }),
  );
}

/** Metadata and all. REPLICA_UNSUPPORTED for more than 256 MiB. */
async function copyBlob(
  container: Container,
  from: string,
  to: string,
  call: StoreCall,
): Promise<KeyedCopied> {
  const tier = container.config.accessTier;
  const { contentLength: sizeBytes = 0, etag = '' } = await request(
    container,
    call,
    'cut',
    (client, abortSignal) => client.getBlobClient(from).getProperties({ abortSignal }),
  );
  if (sizeBytes > COPY_BYTES_MAX) {
    const message = `${call.what}: ${sizeBytes} bytes, and Azure copies ${COPY_BYTES_MAX} at most`;
    throw new ReplicationError('REPLICA_UNSUPPORTED', message);
  }
  const copied = await request(container, call, 'settle', async (client, abortSignal) => {
    const { url, ...authorization } = await container.access.copySource(client, from);
    return await client.getBlobClient(to).syncCopyFromURL(url, {
      sourceConditions: { ifMatch: etag }, // so that the size is this one's
      abortSignal,
      ...authorization,
      ...(tier !== undefined && { tier }),
    });
  });
  return { sizeBytes, modifiedAt: copied.lastModified ?? new Date() };
}

function ifMatch(version: string | undefined): { readonly ifMatch?: string } {
  return version === undefined ? {} : { ifMatch: version };
}
