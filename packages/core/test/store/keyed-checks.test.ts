/** What every store by keys must have said before it is believed. */

import { expect, test } from 'vitest';
import {
  checkCopied,
  checkEntry,
  checkPage,
  checkUploaded,
} from '../../src/store/http/keyed-checks.ts';

const NOW = new Date(1_700_000_000_000);
const NEVER = new Date(NaN);
const LISTING = { what: 'list x', prefix: 'db/', pageToken: undefined, signal: undefined };
const ENTRY = { key: 'db/a', sizeBytes: 0, modifiedAt: NOW, version: '' };
const UNBELIEVABLE = expect.objectContaining({ code: 'REPLICA_UNAVAILABLE' });

test('an entry has a key below the prefix, a size and a time', () => {
  expect(() => checkEntry(ENTRY, LISTING)).not.toThrow();
  for (const wrong of [
    { key: '' },
    { key: 'other/a' },
    { sizeBytes: NaN },
    { sizeBytes: -1 },
    { modifiedAt: NEVER },
  ]) {
    expect(() => checkEntry({ ...ENTRY, ...wrong }, LISTING)).toThrow(UNBELIEVABLE);
  }
});

test('a page leads on, and not to itself', () => {
  const page = (nextPageToken: string | undefined) => ({ objects: [], nextPageToken });
  expect(() => checkPage(page(undefined), LISTING)).not.toThrow();
  expect(() => checkPage(page('2'), { ...LISTING, pageToken: '1' })).not.toThrow();
  expect(() => checkPage(page('1'), { ...LISTING, pageToken: '1' })).toThrow(UNBELIEVABLE);
});

test('what is stored has a version and a time, and a copy has a size', () => {
  expect(() => checkUploaded({ version: 'v', modifiedAt: NOW }, 'write x')).not.toThrow();
  expect(() => checkUploaded({ version: '', modifiedAt: NOW }, 'write x')).toThrow(UNBELIEVABLE);
  expect(() => checkUploaded({ version: 'v', modifiedAt: NEVER }, 'write x')).toThrow(UNBELIEVABLE);
  expect(() => checkCopied({ sizeBytes: 1, modifiedAt: NOW }, 'copy x')).not.toThrow();
  expect(() => checkCopied({ sizeBytes: NaN, modifiedAt: NOW }, 'copy x')).toThrow(UNBELIEVABLE);
});
