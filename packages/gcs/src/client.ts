/** A bucket of Google Cloud Storage, and its requests. */

import {
  isError,
  normalizeEnvironment,
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
  goneError,
  listPages,
  openObject,
  parseTimestamp,
  rangeHeader,
  sizeOfContentRange,
  type Call,
  type OpenCall,
  type OpenedStream,
  type Page,
} from '@sluice/core/backend/http';
import {
  Bucket,
  foreign,
  makeStorage,
  TIMESTAMP,
  type ObjectResource,
  type Request,
} from './bucket.ts';
import type { GCSConfig } from './config.ts';
import { thrownToError } from './errors.ts';
import { uploadObject } from './upload.ts';

/** Variables that the SDK reads itself. */
const VARIABLES = /^(GOOGLE_|GCLOUD_|CLOUDSDK_|STORAGE_EMULATOR_HOST$)/;

/** Sends nothing: errors come with the first call. */
export async function connect(config: GCSConfig, context: ConnectContext): Promise<ReplicaClient> {
  for (const line of normalizeEnvironment(VARIABLES)) context.logger.info(line);
  const storage = await makeStorage(config, context.access);
  return new GCSClient(new Bucket(config, storage, context.logger));
}

class GCSClient implements ReplicaClient {
  readonly name: string;
  readonly layout = 'tree';
  readonly capabilities: Capabilities = {
    ranges: true,
    conditions: 'any-size',
    versions: true,
    sortedLists: true,
  };
  readonly #bucket: Bucket;

  constructor(bucket: Bucket) {
    this.name = bucket.name;
    this.#bucket = bucket;
  }

  list(prefix: string, { startAfter, signal }: ListOptions = {}): AsyncIterable<ObjectInfo> {
    const call = { what: `list ${prefix}* at ${this.name}`, signal, prefix };
    return listPages(this.#bucket.requests, call, (pageToken) =>
      listPage(this.#bucket, { prefix, startOffset: startAfter, pageToken }, call),
    );
  }

  async get(key: string, { range, version, signal }: GetOptions = {}): Promise<OpenedObject> {
    const call = { what: `open ${key} at ${this.name}`, signal, range, version };
    return await openObject(this.#bucket.requests, call, {
      open: (at) => openStream(this.#bucket, key, at),
      toError: thrownToError,
    });
  }

  async put(
    key: string,
    body: ObjectBody,
    { condition, signal }: PutOptions = {},
  ): Promise<ObjectInfo> {
    const what = `write ${key} to ${this.name}`;
    this.#bucket.requests.check(signal);
    try {
      const info = await uploadObject(this.#bucket, { what, key, body, condition, signal });
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
    this.#bucket.requests.check(signal);
    try {
      await deleteObject(this.#bucket, key, { what, signal }, version);
    } catch (error) {
      if (!isError(error, 'REPLICA_NOT_FOUND')) throw error;
      if (version !== undefined) throw goneError(what, error);
    }
  }

  async copy(from: string, to: string, { signal }: CallOptions = {}): Promise<ObjectInfo> {
    const what = `copy ${from} to ${to} at ${this.name}`;
    return checkStored(await copyObject(this.#bucket, from, to, { what, signal }), what);
  }

  async close(): Promise<void> {
    await this.#bucket.requests.close();
    this.#bucket.close();
  }
}

interface ListResponse {
  readonly kind?: string;
  readonly items?: readonly ObjectResource[];
  readonly nextPageToken?: string;
}

const LISTED_FIELDS = 'kind,items(name,size,generation,timeCreated,metadata),nextPageToken';

async function listPage(
  bucket: Bucket,
  query: Readonly<Record<'prefix' | 'startOffset' | 'pageToken', string | undefined>>,
  { what, signal }: Call,
): Promise<Page> {
  const params = { ...query, fields: LISTED_FIELDS };
  const call: Request = { url: bucket.pathOf(), what, about: 'bucket', signal, params };
  const response = await bucket.send(call, 200);
  const page = bucket.read(response, call) as ListResponse | null;
  const { items = [], nextPageToken = '' } = page ?? {};
  if (page?.kind !== 'storage#objects' || !Array.isArray(items)) {
    throw foreign(response, what, 'no storage#objects');
  }
  return {
    objects: items.flatMap(({ name: key, size, timeCreated, generation = '', metadata = {} }) =>
      key === undefined
        ? []
        : [
            {
              key,
              sizeBytes: Number(size),
              modifiedAt: new Date(timeCreated ?? 0),
              version: generation,
              createdAt: parseTimestamp(metadata[TIMESTAMP] ?? ''),
            },
          ],
    ),
    nextPageToken: nextPageToken === '' ? undefined : nextPageToken,
  };
}

async function openStream(
  bucket: Bucket,
  key: string,
  { what, signal, range, version }: OpenCall,
): Promise<OpenedStream> {
  const call: Request = {
    url: bucket.pathOf(key),
    params: { alt: 'media', ifGenerationMatch: version },
    headers: {
      'accept-encoding': 'identity',
      ...(range !== undefined && { range: rangeHeader(range) }),
    },
    what,
    about: 'bytes',
    signal,
  };
  const opened = await bucket.open(call, range === undefined ? 200 : 206);
  const { headers, stream, hold } = opened;
  const sizeBytes =
    sizeOfContentRange(headers.get('content-range')) ?? headers.get('content-length');
  const generation = headers.get('x-goog-generation');
  if (generation === null || sizeBytes === null) {
    stream.destroy();
    hold.release();
    throw foreign(opened, what, generation === null ? 'no x-goog-generation' : 'no size');
  }
  return {
    sizeBytes: Number(sizeBytes),
    modifiedAt: new Date(headers.get('last-modified') ?? 0),
    version: generation,
    stream,
    hold,
  };
}

async function deleteObject(
  bucket: Bucket,
  key: string,
  { what, signal }: Call,
  version: string | undefined,
): Promise<void> {
  const call: Request = {
    url: bucket.pathOf(key),
    method: 'DELETE',
    params: { ifGenerationMatch: version },
    what,
    whenAborted: 'settle',
    signal,
  };
  const response = await bucket.send(call, 200, 204);
  // Emulators answer 200 with the body "null".
  if (response.status !== 204 && bucket.read(response, call) !== null) {
    throw foreign(response, what, 'not the status 204');
  }
}

interface Rewrite {
  readonly done?: boolean;
  readonly rewriteToken?: string;
  readonly resource?: ObjectResource;
}

/** Copies an object of any size and its metadata. A large object takes several requests. */
async function copyObject(
  bucket: Bucket,
  from: string,
  to: string,
  { what, signal }: Call,
): Promise<ObjectInfo> {
  const call: Request = {
    url: `${bucket.pathOf(from)}/rewriteTo${bucket.pathOf(to).replace('/storage/v1', '')}`,
    method: 'POST',
    what,
    whenAborted: 'settle',
    signal,
  };
  let rewriteToken: string | undefined;
  for (;;) {
    const response = await bucket.send({ ...call, params: { rewriteToken } }, 200);
    bucket.requests.check(signal);
    const rewrite = (bucket.read(response, call) ?? {}) as Rewrite;
    const { generation, size, timeCreated } = rewrite.resource ?? {};
    if (rewrite.done === true && generation !== undefined) {
      const modifiedAt = new Date(timeCreated ?? 0);
      return { key: to, sizeBytes: Number(size), modifiedAt, version: generation };
    }
    if (rewrite.done !== false || !rewrite.rewriteToken) {
      throw foreign(response, what, 'no generation');
    }
    rewriteToken = rewrite.rewriteToken;
  }
}
