/**
 * What an answer must have to be Azure's. Everything else is REPLICA_UNAVAILABLE, never success and
 * never an empty listing.
 *
 *  answer to                              has
 *  all                                    x-ms-request-id; the status, which the SDK looks at
 *  Put Blob, Put Block List, Copy Blob    an ETag
 *  Get Blob, Get Blob Properties          an ETag, last-modified
 *  List Blobs                             a whole EnumerationResults, with Blobs and NextMarker
 *
 * The SDK follows no redirects for us (sdk.ts): Azure sends none.
 */

import type { RequestPolicy, RequestPolicyFactory } from '@azure/storage-blob';
import { ForeignAnswerError, rootOfXML } from '@sluice/core/backend/http';

/** Nothing of it is relied on to be there. */
export interface RawResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | undefined };
  readonly bodyAsText?: string | null | undefined;
}

/** Looks at each answer that the SDK takes for a success. Throws ForeignAnswerError. */
export const judgeAnswers: RequestPolicyFactory = {
  create: (next): RequestPolicy => ({
    async sendRequest(request) {
      const response = await next.sendRequest(request);
      try {
        judge(request, response);
      } catch (error) {
        const { readableStreamBody: body } = response;
        if (body !== undefined && 'destroy' in body) (body as { destroy(): void }).destroy();
        throw error;
      }
      return response;
    },
  }),
};

interface Asked {
  readonly method: string;
  readonly url: string;
}

function judge({ method, url }: Asked, response: RawResponse): void {
  const { headers } = response;
  const comp = new URL(url).searchParams.get('comp');
  if (!isAzure(response)) throw foreign(response, 'no x-ms-request-id');
  if (comp === 'list') judgeListing(response);
  const isOfBlob = comp === null || comp === 'blocklist';
  if (isOfBlob && method !== 'DELETE' && !headers.get('etag')) throw foreign(response, 'no ETag');
  const isRead = method === 'GET' || method === 'HEAD';
  const modifiedAt = Date.parse(headers.get('last-modified') ?? '');
  if (isOfBlob && isRead && Number.isNaN(modifiedAt)) throw foreign(response, 'no Last-Modified');
}

/** It says of each page whether it goes on: the last one has an empty NextMarker. */
function judgeListing(response: RawResponse): void {
  const text = response.bodyAsText ?? '';
  if (rootOfXML(text) !== 'EnumerationResults') throw foreign(response, 'no EnumerationResults');
  for (const element of ['Blobs', 'NextMarker']) {
    if (!new RegExp(`<${element}[\\s/>]`).test(text)) throw foreign(response, `no ${element}`);
  }
}

export function isAzure({ headers }: Pick<RawResponse, 'headers'>): boolean {
  return headers.get('x-ms-request-id') !== undefined;
}

export function foreign(
  { status, headers, bodyAsText }: RawResponse,
  lacks: string,
): ForeignAnswerError {
  return new ForeignAnswerError({
    status,
    contentType: headers.get('content-type'),
    location: headers.get('location'),
    text: bodyAsText ?? undefined,
    lacks,
  });
}
