/** A bucket: what its requests are. Core makes replicas of them. */

import {
  keyedDestination,
  mendEnvironment,
  parseTimestamp,
  rangeHeader,
  sizeOfContentRange,
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
import { Bucket, foreign, TIMESTAMP, type Call, type ObjectResource } from './bucket.ts';
import type { GCSConfig } from './config.ts';
import { thrownToError } from './errors.ts';
import { makeStorage } from './sdk.ts';
import { upload } from './upload.ts';

/** What the SDK reads by itself. */
const VARIABLES = /^(GOOGLE_|GCLOUD_|CLOUDSDK_|STORAGE_EMULATOR_HOST$)/;

/** Sends nothing: what is not right is told by the first call. */
export async function connect(config: GCSConfig, context: ConnectContext): Promise<Destination> {
  for (const line of mendEnvironment(VARIABLES)) context.logger.info(line);
  const storage = await makeStorage(config, context.access);
  const bucket = new Bucket(config, storage, context.logger);
  return keyedDestination({
    name: bucket.name,
    layout: 'tree',
    capabilities: { ranges: true, ifAbsent: 'any-size' },
    access: context.access,
    work: bucket.work,
    listPage: (call) => listPage(bucket, call),
    open: (key, call) => openObject(bucket, key, call),
    bodyError: thrownToError,
    put: (of) => upload(bucket, of),
    delete: (key, call) => deleteObject(bucket, key, call),
    copy: (from, to, call) => copyObject(bucket, from, to, call),
    close: () => bucket.close(),
  });
}

interface Page {
  readonly kind?: string;
  readonly items?: readonly ObjectResource[];
  readonly nextPageToken?: string;
}

const LISTED_FIELDS = 'kind,items(name,size,generation,timeCreated,metadata),nextPageToken';

async function listPage(
  bucket: Bucket,
  { prefix, startAfter, startAt, pageToken, what, signal }: KeyedPaging,
): Promise<KeyedPage> {
  const startOffset = startAfter ?? startAt;
  const params = { prefix, startOffset, fields: LISTED_FIELDS, pageToken };
  const call: Call = { url: bucket.pathOf(), what, about: 'bucket', signal, params };
  const answer = await bucket.send(call, 200);
  const page = bucket.read(answer, call) as Page | null;
  const { items = [], nextPageToken = '' } = page ?? {};
  if (page?.kind !== 'storage#objects' || !Array.isArray(items)) {
    throw foreign(answer, what, 'no storage#objects');
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

async function openObject(
  bucket: Bucket,
  key: string,
  { what, signal, range, version }: KeyedOpening,
): Promise<KeyedOpened> {
  const call: Call = {
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
  { what, signal, version }: KeyedDeletion,
): Promise<void> {
  const call: Call = {
    url: bucket.pathOf(key),
    method: 'DELETE',
    params: { ifGenerationMatch: version },
    what,
    whenAborted: 'settle',
    signal,
  };
  const answer = await bucket.send(call, 200, 204);
  // With a body, it is an emulator's: "null".
  if (answer.status !== 204 && bucket.read(answer, call) !== null) {
    throw foreign(answer, what, 'not the status 204');
  }
}

interface Rewrite {
  readonly done?: boolean;
  readonly rewriteToken?: string;
  readonly resource?: ObjectResource;
}

/** Of any size: a large object takes several requests. Metadata go along. */
async function copyObject(
  bucket: Bucket,
  from: string,
  to: string,
  { what, signal }: StoreCall,
): Promise<KeyedCopied> {
  const call: Call = {
    url: `${bucket.pathOf(from)}/rewriteTo${bucket.pathOf(to).replace('/storage/v1', '')}`,
    method: 'POST',
    what,
    whenAborted: 'settle',
    signal,
  };
  let rewriteToken: string | undefined;
  for (;;) {
    const answer = await bucket.send({ ...call, params: { rewriteToken } }, 200);
    bucket.work.check(signal);
    const said = (bucket.read(answer, call) ?? {}) as Rewrite;
    const { generation, size, timeCreated } = said.resource ?? {};
    if (said.done === true && generation !== undefined) {
      return { sizeBytes: Number(size), modifiedAt: new Date(timeCreated ?? 0) };
    }
    if (said.done !== false || !said.rewriteToken) throw foreign(answer, what, 'no generation');
    rewriteToken = said.rewriteToken;
  }
}
