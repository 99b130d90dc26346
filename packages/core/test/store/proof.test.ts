/** Checks of listings and stored objects that are common to all providers. */

import { expect, test } from 'vitest';

import { checkListed, checkStored } from '../../src/store/http/proof.ts';

const INFO = { key: 'db/a', sizeBytes: 0, modifiedAt: new Date(1_700_000_000_000), version: 'v' };
const NEVER = new Date(NaN);
const UNBELIEVABLE = expect.objectContaining({ code: 'REPLICA_UNAVAILABLE' });

test('an entry of a listing has a key, a size and a time', () => {
  expect(() => checkListed(INFO, 'list x')).not.toThrow();
  const faults = [{ key: '' }, { sizeBytes: NaN }, { sizeBytes: -1 }, { modifiedAt: NEVER }];
  for (const fault of faults) {
    expect(() => checkListed({ ...INFO, ...fault }, 'list x')).toThrow(UNBELIEVABLE);
  }
});

test('a stored object has a version, a size and a time', () => {
  expect(checkStored(INFO, 'write x')).toBe(INFO);
  const faults = [
    { version: '' },
    { version: undefined },
    { sizeBytes: NaN },
    { modifiedAt: NEVER },
  ];
  for (const fault of faults) {
    expect(() => checkStored({ ...INFO, ...fault }, 'write x')).toThrow(UNBELIEVABLE);
  }
});
