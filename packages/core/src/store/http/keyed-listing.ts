/** A listing by keys: page after page, each asked for when the one before has been read. */

import { checkEntry, checkPage } from './keyed-checks.ts';
import type { KeyedListing, KeyedObject, KeyedStore } from './keyed-store.ts';

export async function* listKeys(
  store: KeyedStore,
  listing: KeyedListing,
): AsyncGenerator<KeyedObject, void, undefined> {
  let pageToken: string | undefined;
  do {
    const asked = { ...listing, pageToken };
    const page = await store.listPage(asked);
    checkPage(page, asked);
    for (const object of page.objects) {
      store.work.check(listing.signal);
      checkEntry(object, asked);
      yield object;
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
}
