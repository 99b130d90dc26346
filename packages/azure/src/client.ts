/** A container with one set of credentials, and its requests. */

import type { Readable } from 'node:stream';

import type { ContainerListBlobFlatSegmentResponse } from '@azure/storage-blob';
import {
  isError,
  normalizeEnvironment,
  ReplicationError,
  type CallOptions,
  type Capabilities,
  type ConnectContext,
  type DeleteOptions,
  type GetOptions,
  type ListOptions,
  type ObjectBody,
  type ObjectInfo,
  type OpenedObject,
  type PutOptions,
  type ReplicaClient,
} from '@sluice/core/backend';
import {
  checkStored,
  httpAgent,
  goneError,
  listPages,
  openObject,
  parseTimestamp,
  PartMemory,
  Requests,
  sizeOfContentRange,
  type Call,
  type OpenCall,
  type OpenedStream,
  type Page,
} from '@sluice/core/backend/http';
import type { AzureConfig } from './config.ts';
import { accessTo, optionsOf, request, TIMESTAMP, versionOf, type Container } from './container.ts';
import { toReplicationError } from './errors.ts';
import { uploadBlob } from './upload.ts';

/** Maximum size of a blob that the server copies in one request. */
const COPY_BYTES_MAX = 256 * 1024 * 1024;

/** Variables that the SDK and @azure/identity read themselves. */
const VARIABLES = /^(AZURE_|IDENTITY_|MSI_)/;

/** Sends nothing: errors other than those of `accessTo` come with the first call. */
export async function connect(
  config: AzureConfig,
  { logger, credentials }: ConnectContext,
): Promise<ReplicaClient> {
  for (const line of normalizeEnvironment(VARIABLES)) logger.info(line);
  const agent = httpAgent(config.endpoint.startsWith('http:') ? 'http:' : 'https:');
  const access = await accessTo(config, agent, credentials);
  const requests = new Requests(`abs://${config.container}`);
  const memory = new PartMemory(config.blocksAtOnce * config.blockSizeBytes);
  return new AzureClient({ config, agent, access, requests, memory, logger });
}

class AzureClient implements ReplicaClient {
  readonly name: string;
  readonly layout = 'tree';
  readonly capabilities: Capabilities = {
    ranges: true,
    conditions: 'any-size',
    versions: true,
    sortedLists: true,
  };
  readonly #container: Container;

  constructor(container: Container) {
    this.name = `abs://${container.config.container}`;
    this.#container = container;
  }

  list(prefix: string, { startAfter, signal }: ListOptions = {}): AsyncIterable<ObjectInfo> {
    const call = { what: `list ${prefix}* at ${this.name}`, signal, prefix };
    return listPages(this.#container.requests, call, (pageToken) =>
      listPage(this.#container, { ...call, startAfter, pageToken }),
    );
  }

  async get(key: string, { range, version, signal }: GetOptions = {}): Promise<OpenedObject> {
    const call = { what: `open ${key} at ${this.name}`, signal, range, version };
    return await openObject(this.#container.requests, call, {
      open: (at) => openStream(this.#container, key, at),
      toError: toReadError,
    });
  }

  async put(
    key: string,
    body: ObjectBody,
    { condition, signal }: PutOptions = {},
  ): Promise<ObjectInfo> {
    const what = `write ${key} to ${this.name}`;
    this.#container.requests.check(signal);
    try {
      const info = await uploadBlob(this.#container, { what, key, body, condition, signal });
      return checkStored(info, what);
    } catch (error) {
      const hasVersion = typeof condition === 'object';
      throw hasVersion && isError(error, 'REPLICA_NOT_FOUND') ? goneError(what, error) : error;
    }
  }

  async delete(
    [key = '']: readonly string[],
    { version, signal }: DeleteOptions = {},
  ): Promise<void> {
    const what = `delete ${key} at ${this.name}`;
    this.#container.requests.check(signal);
    const conditions = ifMatch(version);
    try {
      await request(this.#container, { what, signal }, 'settle', (client, abortSignal) =>
        client.getBlobClient(key).delete({ conditions, abortSignal }),
      );
    } catch (error) {
      if (!isError(error, 'REPLICA_NOT_FOUND')) throw error;
      if (version !== undefined) throw goneError(what, error);
    }
  }

  async copy(from: string, to: string, { signal }: CallOptions = {}): Promise<ObjectInfo> {
    const what = `copy ${from} to ${to} at ${this.name}`;
    return checkStored(await copyBlob(this.#container, from, to, { what, signal }), what);
  }

  async close(): Promise<void> {
    await this.#container.requests.close();
    this.#container.agent.destroy();
  }
}

interface PageCall extends Call {
  readonly prefix: string;
  readonly startAfter: string | undefined;
  readonly pageToken: string | undefined;
}

async function listPage(container: Container, call: PageCall): Promise<Page> {
  const { prefix, startAfter, pageToken } = call;
  const page = await request(container, call, 'cut', async (client, abortSignal) => {
    const seek = startAfter === undefined ? {} : { startFrom: startAfter };
    const list = client.listBlobsFlat({ prefix, includeMetadata: true, abortSignal, ...seek });
    const next = pageToken === undefined ? {} : { continuationToken: pageToken };
    return (await list.byPage(next).next()).value as ContainerListBlobFlatSegmentResponse;
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

async function openStream(
  { access, requests }: Container,
  key: string,
  call: OpenCall,
): Promise<OpenedStream> {
  const { start = 0, end } = call.range ?? {};
  const count = end === undefined ? undefined : end - start;
  return await requests.open(optionsOf(call, 'cut'), async (abortSignal) => {
    const client = await access.client(call.what);
    const answer = await client.getBlobClient(key).download(start, count, {
      conditions: ifMatch(call.version),
      abortSignal,
      maxRetryRequests: 0, // core resumes a body that breaks off
    });
    return {
      sizeBytes: sizeOfContentRange(answer.contentRange) ?? answer.contentLength ?? 0,
      modifiedAt: answer.lastModified ?? new Date(0),
      version: versionOf(answer.etag),
      stream: answer.readableStreamBody as Readable,
    };
  });
}

/** Converts an error of a body. The SDK reports a broken connection with several messages and no code. */
function toReadError(error: unknown, what: string): ReplicationError {
  const converted = toReplicationError(error, what);
  if (converted.code !== 'REPLICA_UNKNOWN') return converted;
  return new ReplicationError('REPLICA_UNAVAILABLE', `${converted.message}; the body broke off`);
}

/** Copies a blob and its metadata. REPLICA_UNSUPPORTED if it is larger than 256 MiB. */
async function copyBlob(
  container: Container,
  from: string,
  to: string,
  call: Call,
): Promise<ObjectInfo> {
  const tier = container.config.accessTier;
  const { contentLength: sizeBytes = 0, etag = '' } = await request(
    container,
    call,
    'cut',
    (client, abortSignal) => client.getBlobClient(from).getProperties({ abortSignal }),
  );
  if (sizeBytes > COPY_BYTES_MAX) {
    const message = `${call.what}: ${sizeBytes} bytes, but Azure copies at most ${COPY_BYTES_MAX}`;
    throw new ReplicationError('REPLICA_UNSUPPORTED', message);
  }
  const copied = await request(container, call, 'settle', async (client, abortSignal) => {
    const { url, ...authorization } = await container.access.copySource(client, from);
    return await client.getBlobClient(to).syncCopyFromURL(url, {
      sourceConditions: { ifMatch: etag }, // the version that has this size
      abortSignal,
      ...authorization,
      ...(tier !== undefined && { tier }),
    });
  });
  const modifiedAt = copied.lastModified ?? new Date();
  return { key: to, sizeBytes, modifiedAt, version: versionOf(copied.etag) };
}

function ifMatch(version: string | undefined): { readonly ifMatch?: string } {
  return version === undefined ? {} : { ifMatch: version };
}
