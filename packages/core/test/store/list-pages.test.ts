import { expect, test } from 'vitest';

import type { ObjectInfo } from '../../src/store/client.ts';
import { listPages, type Page } from '../../src/store/http/list-pages.ts';
import { Requests } from '../../src/store/http/requests.ts';

const CALL = { what: 'list db/* at x://b', signal: undefined, prefix: 'db/' };

function infoOf(key: string): ObjectInfo {
  return { key, sizeBytes: 7, modifiedAt: new Date(1_700_000_001_000), version: 'v1' };
}

/** Pages of these keys, and the requested tokens. */
function pagesOf(...pages: readonly (readonly string[])[]) {
  const asked: (string | undefined)[] = [];
  const fetch = async (token: string | undefined): Promise<Page> => {
    asked.push(token);
    const index = Number(token ?? 0);
    const objects = (pages[index] ?? []).map(infoOf);
    return { objects, nextPageToken: index + 1 < pages.length ? `${index + 1}` : undefined };
  };
  return { asked, fetch };
}

test('a listing reads all pages', async () => {
  const { asked, fetch } = pagesOf(['db/a'], [], ['db/b']);
  const objects = await Array.fromAsync(listPages(new Requests('x://b'), CALL, fetch));
  expect(objects).toEqual(['db/a', 'db/b'].map(infoOf));
  expect(asked).toEqual([undefined, '1', '2']);
});

test('a page is requested when the previous one has been read', async () => {
  const { asked, fetch } = pagesOf(['db/a'], ['db/b']);
  for await (const _ of listPages(new Requests('x://b'), CALL, fetch)) break;
  expect(asked).toEqual([undefined]);
});

test('an aborted listing ends between two objects of a page', async () => {
  const { fetch } = pagesOf(['db/a', 'db/b']);
  const controller = new AbortController();
  const reason = new Error('not wanted');
  const seen: string[] = [];
  const read = async (): Promise<void> => {
    const call = { ...CALL, signal: controller.signal };
    for await (const { key } of listPages(new Requests('x://b'), call, fetch)) {
      seen.push(key);
      controller.abort(reason);
    }
  };
  await expect(read()).rejects.toBe(reason);
  expect(seen).toEqual(['db/a']);
});

test('a page with its own token is an error', async () => {
  const fetch = async (): Promise<Page> => ({ objects: [], nextPageToken: '1' });
  const reading = Array.fromAsync(listPages(new Requests('x://b'), CALL, fetch));
  await expect(reading).rejects.toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
});

test('a page with keys outside the prefix is an error', async () => {
  const { fetch } = pagesOf(['db/a', 'other/b']);
  const reading = Array.fromAsync(listPages(new Requests('x://b'), CALL, fetch));
  await expect(reading).rejects.toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
});
