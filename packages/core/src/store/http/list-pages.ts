/** A listing in pages, each asked for when the one before has been read. */

import type { ObjectInfo } from '../client.ts';
import { checkListed, unbelievable } from './proof.ts';
import type { Call, Requests } from './requests.ts';

export interface Page {
  readonly objects: Iterable<ObjectInfo>;
  /** Undefined: this is the last one. */
  readonly nextPageToken: string | undefined;
}

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
      throw unbelievable(what, 'the listing goes on where it was');
    }
    for (const object of page.objects) {
      requests.check(signal);
      checkListed(object, what);
      if (!object.key.startsWith(prefix)) {
        throw unbelievable(what, `the listing has ${object.key}, which was not asked for`);
      }
      yield object;
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
}
