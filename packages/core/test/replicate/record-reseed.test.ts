/** `destinations.json` keeps whether an empty folder may be seeded again. */

import { expect, test } from 'vitest';
import { systemFiles } from '../../src/file-system.ts';
import { SentRecords } from '../../src/replicate/record.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const SENT = { txid: 2n, sizeBytes: 9, checksum: 'c', lineage: 1n };

test('an empty folder may be seeded if nothing was sent there, or once after it was allowed', async () => {
  const folder = temporaryFolder();
  const loaded = async (): Promise<SentRecords> => {
    const records = new SentRecords(folder, systemFiles);
    await records.load();
    return records;
  };
  const first = await loaded();
  expect(first.emptyRoot('a')).toBeUndefined();
  first.set('a', SENT);
  await first.save();
  expect((await loaded()).emptyRoot('a')).toBe('refuse');
  await (await loaded()).allowReseed('a');
  const allowed = await loaded();
  expect(allowed.emptyRoot('a')).toBe('accept');
  expect(allowed.get('a')).toEqual(SENT); // its TXID is not used again
  allowed.set('a', { ...SENT, txid: 3n });
  await allowed.save();
  expect((await loaded()).emptyRoot('a')).toBe('refuse');
});
