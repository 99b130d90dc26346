/** `destinations.json` keeps the encrypted snapshots that retention may rely on. */

import { expect, test } from 'vitest';
import { systemFiles } from '../../src/file-system.ts';
import type { SealedRecord } from '../../src/replicate/destination/sealer.ts';
import { SentRecords } from '../../src/replicate/record.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const sealed = (txid: bigint, level: 0 | 9): SealedRecord => ({
  txid,
  sizeBytes: 100,
  checksum: 'c',
  lineage: 1n,
  plainChecksum: 'p',
  pageSize: 512,
  ...(level === 9 && { merged: { level, minTXID: 1n } }),
});

test('increments do not push snapshots out of the record', async () => {
  const folder = temporaryFolder();
  const records = new SentRecords(folder, systemFiles);
  await records.addSealed('s3://b', sealed(1n, 9));
  for (let txid = 2n; txid < 20n; txid += 1n) await records.addSealed('s3://b', sealed(txid, 0));
  const again = new SentRecords(folder, systemFiles);
  await again.load();
  const kept = again.sealed('s3://b');
  expect(kept.map(({ txid }) => txid)).toEqual([19n, 18n, 17n, 16n, 1n]);
  expect(kept.at(-1)).toEqual(sealed(1n, 9));
});

test('the full snapshot with which a history began at a destination is kept', async () => {
  const folder = temporaryFolder();
  const records = new SentRecords(folder, systemFiles);
  const sent = { txid: 7n, sizeBytes: 100, checksum: 'c', lineage: 1n, since: 4n };
  records.set('s3://b', sent);
  await records.save();
  const again = new SentRecords(folder, systemFiles);
  await again.load();
  expect(again.get('s3://b')).toEqual(sent);
});
