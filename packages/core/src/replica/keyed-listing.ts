/** A listing by keys: page after page, each asked for when the one before has been read. */

import type { KeyedListing, KeyedObject, KeyedStore } from './keyed-store.ts';

export async function* listKeys(
  store: KeyedStore,
  listing: KeyedListing,
): AsyncGenerator<KeyedObject, void, undefined> {
  let pageToken: string | undefined;
  do {
    const page = await store.listPage({ ...listing, pageToken });
    for (const object of page.objects) {
      store.work.check(listing.signal);
      yield object;
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
}
