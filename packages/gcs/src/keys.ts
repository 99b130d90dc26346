/** What is done with keys of a bucket, and not with bytes: list, delete, copy. */

import { ReplicationError, type AbortableOptions } from '@sluice/core/backend';
import type { Bucket, Call, ObjectResource } from './bucket.ts';

export interface ListedKey {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly version: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface ListKeysOptions extends AbortableOptions {
  readonly prefix: string;
  /** Only this key and what comes behind it. */
  readonly startOffset?: string | undefined;
}

interface Page {
  readonly kind?: string;
  readonly items?: readonly ObjectResource[];
  readonly nextPageToken?: string;
}

const LISTED_FIELDS = 'kind,items(name,size,generation,timeCreated,metadata),nextPageToken';

/** One recursive listing, page after page, in the order of the keys' bytes. */
export async function* listKeys(
  bucket: Bucket,
  what: string,
  { prefix, startOffset, signal }: ListKeysOptions,
): AsyncGenerator<ListedKey, void, undefined> {
  const params = { prefix, startOffset, fields: LISTED_FIELDS };
  const call: Call = { url: bucket.pathOf(), what, about: 'bucket', signal, params };
  let pageToken: string | undefined;
  do {
    const page = await bucket.call<Page>({ ...call, params: { ...params, pageToken } }, 200);
    if (page.kind !== 'storage#objects') {
      const message = `${what}: the answer is no listing: is ${bucket.endpoint} Cloud Storage?`;
      throw new ReplicationError('REPLICA_UNSUPPORTED', message);
    }
    for (const { name, metadata = {}, ...item } of page.items ?? []) {
      bucket.work.check(signal);
      if (name === undefined) continue;
      yield {
        key: name,
        sizeBytes: Number(item.size),
        modifiedAt: new Date(item.timeCreated ?? 0),
        version: item.generation ?? '',
        metadata,
      };
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined && pageToken !== '');
}

export interface KeyOptions extends AbortableOptions {
  readonly what: string;
}

/** REPLICA_NOT_FOUND where there is none, REPLICA_CONFLICT where it is of another generation. */
export async function deleteKey(
  bucket: Bucket,
  key: string,
  {
    what,
    signal,
    ifGenerationMatch,
  }: KeyOptions & { readonly ifGenerationMatch?: string | undefined },
): Promise<void> {
  const call: Call = {
    url: bucket.pathOf(key),
    method: 'DELETE',
    params: { ifGenerationMatch },
    what,
    whenAborted: 'settle',
    signal,
  };
  await bucket.drain(await bucket.open(call, 200, 204), call);
}

interface Rewrite {
  readonly done?: boolean;
  readonly rewriteToken?: string;
  readonly resource?: ObjectResource;
}

/** On the server's side, of any size: a large object takes several requests. Metadata go along. */
export async function copyKey(
  bucket: Bucket,
  from: string,
  to: string,
  { what, signal }: KeyOptions,
): Promise<{ readonly sizeBytes: number; readonly modifiedAt: Date }> {
  const call: Call = {
    url: `${bucket.pathOf(from)}/rewriteTo${bucket.pathOf(to).replace('/storage/v1', '')}`,
    method: 'POST',
    what,
    whenAborted: 'settle',
    signal,
  };
  let rewriteToken: string | undefined;
  for (;;) {
    const answer = await bucket.call<Rewrite>({ ...call, params: { rewriteToken } }, 200);
    bucket.work.check(signal);
    const { resource = {} } = answer;
    if (answer.done !== false) {
      return { sizeBytes: Number(resource.size), modifiedAt: new Date(resource.timeCreated ?? 0) };
    }
    rewriteToken = answer.rewriteToken;
  }
}
