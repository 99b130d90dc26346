/** `destinations.json` keeps whether an empty folder may be seeded again. */

import { expect, test } from 'vitest';
import { systemFiles, type FileSystem } from '../../src/file-system.ts';
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

/** Records of a folder whose disk can be full. */
async function allowed(): Promise<{
  readonly records: SentRecords;
  readonly disk: { isFull: boolean };
  /** As a next start would read it. */
  readonly recorded: () => Promise<unknown>;
}> {
  const folder = temporaryFolder();
  const disk = { isFull: false };
  const files: FileSystem = {
    ...systemFiles,
    rename: async (...paths) => {
      if (disk.isFull) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      await systemFiles.rename(...paths);
    },
  };
  const records = new SentRecords(folder, files);
  records.set('a', SENT);
  await records.allowReseed('a');
  const recorded = async (): Promise<unknown> => {
    const next = new SentRecords(folder, systemFiles);
    await next.load();
    return next.emptyRoot('a');
  };
  return { records, disk, recorded };
}

test('a reseed is not allowed any more once the empty folder was listed, but this process completes it', async () => {
  const { records, recorded } = await allowed();
  const { emptyRoot, onListed } = records.emptinessOf('a');
  expect(await recorded()).toBe('accept');
  await onListed('nothing');
  expect(await recorded()).toBe('refuse');
  expect(emptyRoot()).toBe('accept');
  records.set('a', { ...SENT, txid: 3n });
  expect(emptyRoot()).toBe('refuse');
});

test('files that are found end a reseed', async () => {
  const { records, recorded } = await allowed();
  const { emptyRoot, onListed } = records.emptinessOf('a');
  await onListed('files');
  expect([emptyRoot(), await recorded()]).toEqual(['refuse', 'refuse']);
});

test.each(['files', 'nothing'] as const)(
  'an end that cannot be recorded is reported, and tried again: %s',
  async (found) => {
    const { records, disk, recorded } = await allowed();
    const { emptyRoot, onListed } = records.emptinessOf('a');
    disk.isFull = true;
    for (const _ of [1, 2]) {
      await expect(onListed(found)).rejects.toMatchObject({ code: 'STAGING_FULL' });
      expect([emptyRoot(), await recorded()]).toEqual(['accept', 'accept']);
    }
    disk.isFull = false;
    await onListed(found);
    expect(await recorded()).toBe('refuse');
  },
);

test('a reseed that cannot be recorded is not allowed', async () => {
  const { records, disk } = await allowed();
  records.set('b', SENT);
  disk.isFull = true;
  await expect(records.allowReseed('b')).rejects.toMatchObject({ code: 'STAGING_FULL' });
  expect(records.emptyRoot('b')).toBe('refuse');
});
