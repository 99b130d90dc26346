/** A restore that was interrupted continues: what was downloaded is not read again. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { ReplicaFiles } from '../../src/replica/replica.ts';
import { newKeys } from '../encryption/keys.ts';
import { EncryptedMirror } from '../encryption/mirror.ts';
import { plain } from '../support/files-view.ts';
import { randomFrom } from '../support/random.ts';
import { Bucket, encodeFile, History } from './bucket.ts';
import { newSetting, type Setting } from './setting.ts';

const CHILD = fileURLToPath(new URL('resume-killed.mjs', import.meta.url));
const PAGE_BYTES = 4096;
const PAGES = 3_000;

/** A snapshot of about 12 MB, and small files after it. */
function makeBucket(seed = 3): { bucket: Bucket; history: History; totalBytes: number } {
  const random = randomFrom(seed);
  const history = new History(PAGE_BYTES);
  const words = { length: PAGE_BYTES / 4 };
  const page = (): Uint8Array =>
    new Uint8Array(Uint32Array.from(words, () => random.int(0, 0xffff_ffff)).buffer);
  const pages = Array.from({ length: PAGES }, page);
  history.set(pages);
  for (let txid = 2; txid <= 5; txid++) {
    history.set(pages.map((old, at) => (at < txid ? page() : old)));
  }
  const bucket = new Bucket();
  bucket.put(9, 1, 2, encodeFile(1, 2, history.image(2)));
  for (let txid = 3; txid <= 5; txid++) {
    bucket.put(0, txid, txid, encodeFile(txid, txid, history.content(txid, txid)));
  }
  const files = [...bucket.store.objects.values()];
  return { bucket, history, totalBytes: files.reduce((sum, { bytes }) => sum + bytes.length, 0) };
}

interface Counted {
  readonly client: ReplicaFiles;
  readonly read: { bytes: number; requests: number };
}

/** Counts what is read, and fails after `bytesMax`. */
function counted(bucket: Bucket, bytesMax = Infinity): Counted {
  const inner = bucket.client();
  const read = { bytes: 0, requests: 0 };
  const client: ReplicaFiles = {
    listFiles: inner.listFiles.bind(inner),
    writeFile: inner.writeFile.bind(inner),
    deleteFiles: inner.deleteFiles.bind(inner),
    async openFile(file, options) {
      read.requests += 1;
      const opened = await inner.openFile(file, options);
      return { ...opened, body: count(opened.body) };
    },
  };
  async function* count(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of body) {
      for (let at = 0; at < chunk.length; at += 65_536) {
        const part = chunk.subarray(at, at + 65_536);
        read.bytes += part.length;
        if (read.bytes > bytesMax) throw new Error('the network is gone');
        yield part;
      }
    }
  }
  return { client, read };
}

const leftIn = (setting: Setting): string[] => setting.names().filter((name) => name !== 'app.db');

async function interrupt(setting: Setting, bucket: Bucket, bytesMax: number): Promise<void> {
  const { client } = counted(bucket, bytesMax);
  await expect(setting.run({ client, downloads: 'kept', parallelism: 1 })).rejects.toThrow(
    'network',
  );
  expect(leftIn(setting)).toEqual(['.app.db-sluice-resume']);
}

test('what was downloaded is not read again, and the result has every byte', async () => {
  const { bucket, history, totalBytes } = makeBucket();
  const setting = newSetting();
  await interrupt(setting, bucket, 9_000_000);
  const { client, read } = counted(bucket);
  const { resumed, bytesRead } = await setting.run({ client, downloads: 'kept' });
  expect(Buffer.compare(setting.bytes(), history.bytes(5))).toBe(0);
  expect(resumed?.keptBytes).toBeGreaterThan(4_000_000);
  expect(read.bytes + (resumed?.keptBytes ?? 0)).toBe(totalBytes);
  expect(bytesRead).toBe(read.bytes);
  expect(leftIn(setting)).toEqual([]);
});

test('after SIGKILL in the middle, too', async () => {
  const { bucket, history, totalBytes } = makeBucket();
  const setting = newSetting();
  const stored = path.join(setting.folder, 'bucket.json');
  const objects = [...bucket.store.objects].map(([key, { bytes, modifiedAt }]) => [
    key,
    Buffer.from(bytes).toString('base64'),
    modifiedAt.getTime(),
  ]);
  fs.writeFileSync(stored, JSON.stringify(objects));
  const { signal } = spawnSync(process.execPath, [CHILD, stored, setting.output], {
    stdio: 'inherit',
  });
  expect(signal).toBe('SIGKILL');
  expect(fs.existsSync(setting.output)).toBe(false);
  const { client, read } = counted(bucket);
  const { resumed } = await setting.run({ client, downloads: 'kept' });
  expect(Buffer.compare(setting.bytes(), history.bytes(5))).toBe(0);
  expect(resumed?.keptBytes).toBeGreaterThan(1_000_000);
  expect(read.bytes).toBeLessThan(totalBytes - 1_000_000);
});

test('files of another backup are not used', async () => {
  const { bucket } = makeBucket();
  const setting = newSetting();
  await interrupt(setting, bucket, 9_000_000);
  const other = makeBucket(4);
  for (const object of other.bucket.store.objects.values()) {
    (object as { modifiedAt: Date }).modifiedAt = new Date(1_000);
  }
  const { client, read } = counted(other.bucket);
  const { resumed } = await setting.run({ client, downloads: 'kept' });
  expect(Buffer.compare(setting.bytes(), other.history.bytes(5))).toBe(0);
  expect(resumed).toEqual({ keptBytes: 0, discardedFiles: 1 });
  expect(read.bytes).toBe(other.totalBytes);
});

test('a damaged download is read again, and is not blamed on the backup', async () => {
  const { bucket, history } = makeBucket();
  const setting = newSetting();
  await interrupt(setting, bucket, 9_000_000);
  const folder = path.join(setting.folder, '.app.db-sluice-resume');
  const [name = ''] = fs.readdirSync(folder);
  const handle = fs.openSync(path.join(folder, name), 'r+');
  fs.writeSync(handle, Buffer.from('power loss'), 0, 10, 2_000_000);
  fs.closeSync(handle);
  const { avoided } = await setting.run({ client: bucket.client(), downloads: 'kept' });
  expect(Buffer.compare(setting.bytes(), history.bytes(5))).toBe(0);
  expect(avoided).toEqual([]);
});

test('a destination that cannot read ranges sends the whole file again', async () => {
  const { bucket, history, totalBytes } = makeBucket();
  const setting = newSetting();
  await interrupt(setting, bucket, 9_000_000);
  const { client, read } = counted(bucket);
  await setting.run({ client, capabilities: {}, downloads: 'kept' });
  expect(Buffer.compare(setting.bytes(), history.bytes(5))).toBe(0);
  expect(read.bytes).toBe(totalBytes);
});

test('a restore without kept downloads removes them', async () => {
  const { bucket, history } = makeBucket();
  const setting = newSetting();
  await interrupt(setting, bucket, 9_000_000);
  await setting.run({ client: bucket.client() });
  expect(Buffer.compare(setting.bytes(), history.bytes(5))).toBe(0);
  expect(leftIn(setting)).toEqual([]);
});

test('of an encrypted destination, whole files are kept', async () => {
  const { bucket, history } = makeBucket();
  const mirror = new EncryptedMirror(bucket, await newKeys());
  await mirror.update();
  const setting = newSetting();
  const opened: string[] = [];
  const reader = (isFailing: (key: string) => boolean): ReplicaFiles =>
    mirror.reader((stored) => ({
      ...plain(stored),
      async get(key, options) {
        const found = await stored.get(key, options);
        opened.push(key);
        return isFailing(key) ? { ...found, body: firstHalf(found.body) } : found;
      },
    }));
  async function* firstHalf(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of body) {
      yield chunk.subarray(0, chunk.length / 2);
      throw new Error('the network is gone');
    }
  }
  const options = { downloads: 'kept', parallelism: 1 } as const;
  const last = reader((key) => key.includes('ltx/0/0000000000000005'));
  await expect(setting.run({ ...options, client: last })).rejects.toThrow('network');
  const kept = fs.readdirSync(path.join(setting.folder, '.app.db-sluice-resume'));
  expect(kept.filter((name) => name.endsWith('.part'))).toHaveLength(1);
  expect(kept).toHaveLength(4);

  opened.length = 0;
  const { resumed } = await setting.run({ ...options, client: reader(() => false) });
  expect(Buffer.compare(setting.bytes(), history.bytes(5))).toBe(0);
  expect(resumed?.keptBytes).toBeGreaterThan(4_000_000);
  expect(opened.filter((key) => key.includes('ltx/9/'))).toEqual([]);
  expect(leftIn(setting)).toEqual([]);
});

test('a damaged download of an encrypted file is read again', async () => {
  const { bucket, history } = makeBucket();
  const mirror = new EncryptedMirror(bucket, await newKeys());
  await mirror.update();
  const setting = newSetting();
  const client = mirror.reader();
  const refused = setting.run({
    ...{ client, downloads: 'kept' },
    onVerified: async () => await Promise.reject(new Error('the process has ended')),
  });
  await expect(refused).rejects.toThrow('ended');
  const folder = path.join(setting.folder, '.app.db-sluice-resume');
  const kept = fs.readdirSync(folder);
  expect(kept).toHaveLength(4);
  for (const name of kept) fs.truncateSync(path.join(folder, name), 50);
  const { avoided } = await setting.run({ client: mirror.reader(), downloads: 'kept' });
  expect(Buffer.compare(setting.bytes(), history.bytes(5))).toBe(0);
  expect(avoided).toEqual([]);
});
