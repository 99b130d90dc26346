/** A listing in pages. Each page is requested when the previous one has been read. */

import type { ObjectInfo } from '../client.ts';
import { checkListed, foreignServer } from './proof.ts';
import type { Call, Requests } from './requests.ts';

/** One page of a listing. */
export interface Page {
  readonly objects: Iterable<ObjectInfo>;
  /** Undefined for the last page. */
  readonly nextPageToken: string | undefined;
}

/** Lists all pages in order. Throws if a page repeats or has keys outside the prefix: then another server responds. */
export async function* listPages(
  requests: Requests,
  { what, signal, prefix }: Call & { readonly prefix: string },
  fetchPage: (pageToken: string | undefined) => Promise<Page>,
): AsyncGenerator<ObjectInfo, void, undefined> {
  let pageToken: string | undefined;
  do {
    requests.check(signal);
    const page = await fetchPage(pageToken);
    if (page.nextPageToken !== undefined && page.nextPageToken === pageToken) {
      throw foreignServer(what, 'the listing repeats a page');
    }
    for (const object of page.objects) {
      requests.check(signal);
      checkListed(object, what);
      if (!object.key.startsWith(prefix)) {
        throw foreignServer(
          what,
          `the listing contains ${object.key}, which is not below the prefix`,
        );
      }
      yield object;
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
}
