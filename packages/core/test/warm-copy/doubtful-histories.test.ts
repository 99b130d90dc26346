/** A warm copy never mixes two histories, and is never called current without proof. */

import fs from 'node:fs';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { Bucket } from '../restore/bucket.ts';
import { temporaryFolder } from '../restore/temporary.ts';
import { Following } from './following.ts';
import { Source, type SourceOptions } from './source.ts';

/** Later than every state of a source without it. */
const LATER_MS = 3_600_000;

function newSource(bucket: Bucket, options: SourceOptions): Source {
  const source = new Source(temporaryFolder(), bucket, options);
  onTestFinished(() => source.close());
  return source;
}

function replaceAll(bucket: Bucket, other: Bucket): void {
  bucket.store.objects.clear();
  for (const [key, object] of other.store.objects) bucket.store.objects.set(key, object);
}

test.each([
  ['are there', true],
  ['are gone', false],
])(
  'without a lineage, a new history that overtakes the copy is not mixed with it; its first files %s',
  async (_, isWhole) => {
    const bucket = new Bucket();
    const source = newSource(bucket, { lineage: 0n });
    source.fill(20);
    source.transfer();
    const following = await Following.start(temporaryFolder(), { clients: [bucket.client()] });
    await following.expectState(source);

    const other = new Bucket();
    const later = newSource(other, { lineage: 0n, laterMs: LATER_MS });
    later.fill(20); // as many pages as the copy has, with other content
    while (later.txid <= source.txid) later.transfer();
    if (!isWhole) {
      later.snapshot();
      for (let txid = 1; txid <= source.txid; txid++) other.remove(0, txid, txid);
    }
    replaceAll(bucket, other);
    await following.next('rebased', ({ reason }) => reason === 'unknown history');
    await following.expectState(later);
  },
);

test('another history with the same TXID is not the state of the copy', async () => {
  const bucket = new Bucket();
  const source = newSource(bucket, {});
  const following = await Following.start(temporaryFolder(), { clients: [bucket.client()] });
  await following.expectState(source);

  const other = new Bucket();
  const later = newSource(other, { lineage: 8n, laterMs: LATER_MS });
  while (later.txid < source.txid) later.transfer();
  expect(later.txid).toBe(source.txid);
  replaceAll(bucket, other);
  await following.next('rebased', ({ reason }) => reason === 'another history');
  await following.expectState(later);
});

test('without a lineage, another history with the same TXID is not the state of the copy', async () => {
  const bucket = new Bucket();
  const source = newSource(bucket, { lineage: 0n });
  const following = await Following.start(temporaryFolder(), { clients: [bucket.client()] });
  await following.expectState(source);

  const other = new Bucket();
  const later = newSource(other, { lineage: 0n, pageSize: 2048, laterMs: LATER_MS });
  while (later.txid < source.txid) later.transfer();
  replaceAll(bucket, other);
  await following.next('rebased', ({ reason }) => reason === 'unknown history');
  await following.expectState(later);
});

test('a destination that was rolled back is not called current between two full listings', async () => {
  const bucket = new Bucket();
  const source = newSource(bucket, {});
  for (let commit = 0; commit < 3; commit++) source.transfer();
  const following = await Following.start(temporaryFolder(), { clients: [bucket.client()] });
  await following.expectState(source);
  bucket.remove(0, source.txid, source.txid);
  for (let listing = 0; listing < 3; listing++) await following.next('older');
  const since = following.seen.findIndex(({ kind }) => kind === 'older');
  expect(following.seen.slice(since).filter(({ kind }) => kind === 'current')).toEqual([]);
  source.transfer();
  source.snapshot();
  await following.expectState(source);
});

function write(output: string): void {
  const writer = new Database(output);
  writer.pragma('journal_mode = wal');
  writer.exec('UPDATE accounts SET balance = 0');
  writer.close();
}

test.each([
  ['wrote to', write],
  ['moved', (output: string): void => fs.renameSync(output, `${output}.moved`)],
  ['removed', (output: string): void => fs.rmSync(output)],
  ['emptied', (output: string): void => fs.truncateSync(output)],
])('a copy that somebody %s is not called current, even if nothing new arrives', async (_, act) => {
  const bucket = new Bucket();
  const source = newSource(bucket, {});
  const following = await Following.start(temporaryFolder(), { clients: [bucket.client()] });
  await following.expectState(source);
  act(following.output);
  await expect(following.next('failing')).rejects.toMatchObject({ code: 'DATABASE_REPLACED' });
});
