/** A warm copy follows its backup, whatever happens to the backup meanwhile. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { ReplicationError } from '../../src/error.ts';
import type { ReplicaFiles } from '../../src/replica/replica.ts';
import { describeFile } from '../../src/store/describe.ts';
import type { LTXFileRef } from '../../src/store/layout.ts';
import { copyPathsOf } from '../../src/warm-copy/copy-paths.ts';
import { Bucket } from '../restore/bucket.ts';
import { temporaryFolder } from '../restore/temporary.ts';
import { Following } from './following.ts';
import { Source, type SourceOptions } from './source.ts';

function newSource(folder: string, bucket: Bucket, options?: SourceOptions): Source {
  const source = new Source(folder, bucket, options);
  onTestFinished(() => source.close());
  return source;
}

function scene(options?: SourceOptions): { folder: string; bucket: Bucket; source: Source } {
  const folder = temporaryFolder();
  const bucket = new Bucket();
  return { folder, bucket, source: newSource(folder, bucket, options) };
}

interface Watched {
  readonly client: ReplicaFiles;
  readonly opened: string[];
}

/** A client that records what is read, and runs `before` first. */
function watched(
  bucket: Bucket,
  before: (file: LTXFileRef | 'listing') => void = () => undefined,
): Watched {
  const inner = bucket.client();
  const opened: string[] = [];
  const client: ReplicaFiles = {
    listFiles(level, options) {
      before('listing');
      return inner.listFiles(level, options);
    },
    async openFile(file, options) {
      before(file);
      opened.push(describeFile(file));
      return await inner.openFile(file, options);
    },
    writeFile: inner.writeFile.bind(inner),
    deleteFiles: inner.deleteFiles.bind(inner),
  };
  return { client, opened };
}

test('each commit arrives, with every byte of the source', async () => {
  const { folder, bucket, source } = scene();
  const following = await Following.start(folder, { clients: [bucket.client()] });
  await following.expectState(source);
  for (let commit = 0; commit < 5; commit++) {
    source.transfer();
    await following.expectState(source);
  }
  source.fill(200);
  await following.expectState(source);
  source.commit('DELETE FROM notes WHERE id > 10');
  source.commit('VACUUM');
  await following.expectState(source);
  source.fill(300);
  await following.expectState(source);
});

test('a stopped copy continues from where it stopped, and reads only what is new', async () => {
  const { folder, bucket, source } = scene();
  source.fill(300);
  const first = await Following.start(folder, { clients: [bucket.client()] });
  await first.expectState(source);
  await first.stop();
  source.transfer();
  source.transfer();
  const { client, opened } = watched(bucket);
  const { folder: ours } = copyPathsOf(first.output);
  for (const name of ['pages', 'rebase', 'journal'])
    fs.writeFileSync(path.join(ours, name), 'left over');
  const second = await Following.start(folder, { clients: [client] });
  await second.expectState(source);
  expect(fs.readdirSync(ours).sort()).toEqual(['lock', 'owner', 'position']);
  expect(new Set(opened)).toEqual(
    new Set(
      [source.txid - 1, source.txid].map((txid) =>
        describeFile({ level: 0, minTXID: BigInt(txid), maxTXID: BigInt(txid) } as LTXFileRef),
      ),
    ),
  );
});

test('merged files take the place of files that are gone', async () => {
  const { folder, bucket, source } = scene();
  const first = await Following.start(folder, { clients: [bucket.client()] });
  await first.expectState(source);
  await first.stop();
  const before = source.txid;
  for (let commit = 0; commit < 6; commit++) source.transfer();
  source.merge(before + 1, before + 4);
  const second = await Following.start(folder, { clients: [bucket.client()] });
  await second.next('applied', ({ files }) => files === 3);
  await second.expectState(source);
});

test('a copy whose next files are gone is rebased on a snapshot', async () => {
  const { folder, bucket, source } = scene();
  const first = await Following.start(folder, { clients: [bucket.client()] });
  await first.expectState(source);
  await first.stop();
  for (let commit = 0; commit < 4; commit++) source.transfer();
  source.snapshot();
  for (let txid = 1; txid <= source.txid; txid++) bucket.remove(0, txid, txid);
  const second = await Following.start(folder, { clients: [bucket.client()] });
  const { reason } = await second.next('rebased');
  expect(reason).toBe('missing files');
  await second.expectState(source);
  source.transfer();
  await second.expectState(source);
});

test('a file that retention removes between the listing and the read is not an error', async () => {
  const { folder, bucket, source } = scene();
  let removed = 0;
  const { client } = watched(bucket, (file) => {
    if (file === 'listing' || file.minTXID !== BigInt(removed)) return;
    source.snapshot();
    bucket.remove(0, removed, removed);
  });
  const following = await Following.start(folder, { clients: [client] });
  await following.expectState(source);
  removed = source.txid + 1;
  source.transfer();
  await following.next('rebased');
  await following.expectState(source);
  expect(following.events.filter(({ kind }) => kind === 'failing')).toEqual([]);
});

test('a bucket that begins anew, with lower TXIDs, is followed if its states are newer', async () => {
  const { folder, bucket, source } = scene();
  for (let commit = 0; commit < 8; commit++) source.transfer();
  const following = await Following.start(folder, { clients: [bucket.client()] });
  await following.expectState(source);
  const other = new Bucket();
  const later = newSource(folder, other, { lineage: 8n, laterMs: 3_600_000 });
  bucket.store.objects.clear();
  for (const [key, object] of other.store.objects) bucket.store.objects.set(key, object);
  await following.next('rebased', ({ reason }) => reason === 'another history');
  await following.expectState(later);
});

test('a bucket that begins anew, with higher TXIDs, is not mixed with the copy', async () => {
  const { folder, bucket, source } = scene();
  const following = await Following.start(folder, { clients: [bucket.client()] });
  await following.expectState(source);
  const other = new Bucket();
  const later = newSource(folder, other, { lineage: 8n, laterMs: 3_600_000 });
  while (later.txid < source.txid + 3) later.transfer();
  for (const [key, object] of other.store.objects) bucket.store.objects.set(key, object);
  await following.next('rebased', ({ reason }) => reason === 'another history');
  await following.expectState(later);
});

test('an older history never replaces the copy', async () => {
  const { folder, bucket, source } = scene({ laterMs: 3_600_000 });
  const first = await Following.start(folder, { clients: [bucket.client()] });
  await first.expectState(source);
  await first.stop();
  const other = new Bucket();
  const older = newSource(folder, other, { lineage: 8n });
  for (let commit = 0; commit < 9; commit++) older.transfer();
  const second = await Following.start(folder, { clients: [other.client()] });
  await second.next('older');
  await second.next('older');
  second.expectBytes(source, source.txid);
});

test('a new lineage that begins with a full file is followed, even with another page size', async () => {
  const { folder, bucket, source } = scene();
  source.fill(100);
  const following = await Following.start(folder, { clients: [bucket.client()] });
  await following.expectState(source);
  const next = newSource(folder, bucket, { lineage: 9n, pageSize: 4096, first: source.txid + 1 });
  await following.expectState(next);
  next.transfer();
  await following.expectState(next);
  const small = newSource(folder, bucket, { lineage: 10n, pageSize: 512, first: next.txid + 1 });
  small.fill(50);
  await following.expectState(small);
});

test('without a lineage, the copy continues only if its last file is still there', async () => {
  const { folder, bucket, source } = scene({ lineage: 0n });
  const first = await Following.start(folder, { clients: [bucket.client()] });
  await first.expectState(source);
  await first.stop();
  source.transfer();
  const second = await Following.start(folder, { clients: [bucket.client()] });
  await second.next('applied');
  await second.expectState(source);
  await second.stop();

  // The last file has its name and size, but another checksum.
  source.snapshot();
  const bytes = bucket.bytes(0, source.txid, source.txid);
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  source.transfer();
  const doubtful = await Following.start(folder, { clients: [bucket.client()] });
  await doubtful.next('rebased', ({ reason }) => reason === 'unknown history');
  await doubtful.expectState(source);
  await doubtful.stop();

  // Another history with the same TXIDs, and one more: nothing but the files tells them apart.
  const other = new Bucket();
  const later = newSource(temporaryFolder(), other, { lineage: 0n, laterMs: 3_600_000 });
  later.fill(10);
  later.fill(10);
  const third = await Following.start(folder, { clients: [other.client()] });
  await third.next('rebased', ({ reason }) => reason === 'unknown history');
  await third.expectState(later);
});

test('nothing of a damaged file is applied; other files replace it', async () => {
  const { folder, bucket, source } = scene();
  const following = await Following.start(folder, { clients: [bucket.client()] });
  await following.expectState(source);
  const before = source.txid;
  source.transfer();
  const bytes = bucket.bytes(0, source.txid, source.txid);
  bytes[bytes.length - 40] = (bytes[bytes.length - 40] ?? 0) ^ 1;
  await following.next('failing');
  following.expectBytes(source, before);
  source.snapshot();
  await following.next('recovered');
  await following.expectState(source);
});

test('a destination that fails is reported once, and followed again when it is back', async () => {
  const { folder, bucket, source } = scene();
  let isDown = false;
  const { client } = watched(bucket, () => {
    if (isDown) throw new ReplicationError('REPLICA_UNAVAILABLE', 'list: no answer');
  });
  const following = await Following.start(folder, { clients: [client] });
  await following.expectState(source);
  isDown = true;
  await following.next('failing');
  source.transfer();
  isDown = false;
  await following.next('recovered');
  await following.expectState(source);
});

test('another destination is followed while the first one fails', async () => {
  const { folder, bucket, source } = scene();
  let isDown = false;
  const { client } = watched(bucket, () => {
    if (isDown) throw new ReplicationError('REPLICA_UNAVAILABLE', 'list: no answer');
  });
  const following = await Following.start(folder, { clients: [client, bucket.client()] });
  await following.expectState(source);
  isDown = true;
  source.transfer();
  await following.expectState(source);
  expect(following.events.filter(({ kind }) => kind === 'failing').length).toBeLessThanOrEqual(1);
});

test('an emptied destination is an error, and the copy stays', async () => {
  const { folder, bucket, source } = scene();
  const following = await Following.start(folder, { clients: [bucket.client()] });
  await following.expectState(source);
  await following.stop();
  bucket.store.objects.clear();
  const again = await Following.start(folder, { clients: [bucket.client()] });
  const { error } = await again.next('failing');
  expect(error).toMatchObject({ code: 'RESTORE_NO_SNAPSHOT' });
  again.expectBytes(source, source.txid);
});

test('a copy that another program wrote to is refused, and with -force restored again', async () => {
  const { folder, bucket, source } = scene();
  const first = await Following.start(folder, { clients: [bucket.client()] });
  await first.expectState(source);
  await first.stop();
  const writer = new Database(first.output);
  writer.exec('DELETE FROM accounts');
  writer.close();
  await expect(Following.start(folder, { clients: [bucket.client()] })).rejects.toMatchObject({
    code: 'DATABASE_REPLACED',
  });
  const again = await Following.start(folder, { clients: [bucket.client()], overwrite: 'keep' });
  await again.expectState(source);
  expect(fs.readdirSync(folder).filter((name) => name.includes('.before-'))).toHaveLength(1);
});

test('a write of another program in the meantime ends the follower, and nothing is mixed', async () => {
  const { folder, bucket, source } = scene();
  const following = await Following.start(folder, { clients: [bucket.client()] });
  await following.expectState(source);
  const writer = new Database(following.output);
  onTestFinished(() => void writer.close());
  writer.exec('UPDATE accounts SET balance = 0');
  source.transfer();
  await expect(following.next('applied')).rejects.toMatchObject({ code: 'DATABASE_REPLACED' });
  expect(writer.prepare('SELECT sum(balance) AS sum FROM accounts').get()).toEqual({ sum: 0 });
  expect(writer.pragma('integrity_check', { simple: true })).toBe('ok');
});

test('two followers of one copy exclude each other', async () => {
  const { folder, bucket, source } = scene();
  const following = await Following.start(folder, { clients: [bucket.client()] });
  await following.expectState(source);
  await expect(Following.start(folder, { clients: [bucket.client()] })).rejects.toMatchObject({
    code: 'DATABASE_BUSY',
  });
});

test('an open reader sees each new state, and never loses its snapshot', async () => {
  const { folder, bucket, source } = scene();
  const following = await Following.start(folder, { clients: [bucket.client()] });
  await following.expectState(source);
  const reader = new Database(following.output, { readonly: true });
  onTestFinished(() => void reader.close());
  reader.pragma('mmap_size = 1000000');
  const count = reader.prepare('SELECT count(*) FROM notes').pluck();
  expect(count.get()).toBe(0);
  source.fill(5);
  await following.expectState(source);
  expect(count.get()).toBe(5);

  // Neither the size nor page 1 of the source changes. This reader has the pages in its cache.
  const cached = new Database(following.output, { readonly: true });
  onTestFinished(() => void cached.close());
  const sum = cached.prepare('SELECT sum(balance * id) FROM accounts').pluck();
  const before = sum.get();
  source.transfer();
  await following.expectState(source);
  expect(sum.get()).not.toBe(before);

  reader.exec('BEGIN');
  expect(count.get()).toBe(5);
  source.fill(5);
  await following.next('blocked');
  expect(count.get()).toBe(5);
  reader.exec('COMMIT');
  await following.expectState(source);
  expect(count.get()).toBe(10);
  expect(reader.pragma('journal_mode', { simple: true })).toBe('delete');
  expect(fs.existsSync(path.join(folder, 'copy.db-wal'))).toBe(false);
});
