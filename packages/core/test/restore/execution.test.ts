/** Running a plan: threads, ranges, memory limits, progress and aborts. */

import fs from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { lockPgno } from '../../src/ltx/header.ts';
import {
  Replica,
  type LTXFileInfo,
  type OpenFileOptions,
  type ReplicaFiles,
} from '../../src/replica/replica.ts';
import { chaos } from '../../src/store/chaos.ts';
import { PageSet } from '../../src/restore/decode/page-set.ts';
import { ReadAhead } from '../../src/restore/read-ahead.ts';
import { sourcedFiles, type SourcedFile } from '../../src/restore/plan/sources.ts';
import type { RestoreProgress } from '../../src/restore/options.ts';
import { randomFrom } from '../support/random.ts';
import { Bucket, encodeFile, History } from './bucket.ts';
import { file } from './files.ts';
import { newSetting } from './setting.ts';

const MIB = 1024 * 1024;
/** Timeout of tests with much I/O on a machine under load. */
const LONG_MS = 120_000;

/** 12 MiB of pages that do not compress, and 5 MiB of changes: threads decode, and files are read in ranges. */
function makeLarge(): { bucket: Bucket; history: History } {
  const random = randomFrom(5);
  const history = new History(65_536);
  const pages = (12 * MIB) / 65_536;
  const noise = (): Uint8Array => Uint8Array.from({ length: 65_536 }, () => random.int(0, 255));
  history.set(Array.from({ length: pages }, noise));
  history.set([...history.state(1).slice(0, 100), ...Array.from({ length: 60 }, noise)]);
  history.commit(random, 150, 20);
  const bucket = new Bucket();
  bucket.put(9, 1, 1, encodeFile(1, 1, history.image(1)));
  bucket.put(0, 2, 2, encodeFile(2, 2, history.content(2, 2)));
  bucket.put(0, 3, 3, encodeFile(3, 3, { ...history.content(3, 3), encoding: 'frame' }));
  return { bucket, history };
}

describe('a large restore', () => {
  const { bucket, history } = makeLarge();

  test.each([{ ranges: true } as const, {}])(
    'with %o restores the right bytes',
    async (capabilities) => {
      const setting = newSetting();
      const seen: RestoreProgress[] = [];
      const report = await setting.run({
        client: bucket.client({ chunkBytes: 300_001 }),
        capabilities,
        onProgress: (progress) => seen.push(progress),
      });
      expect(Buffer.compare(setting.bytes(), history.bytes(3))).toBe(0);
      const totalBytes = [bucket.bytes(9, 1, 1), bucket.bytes(0, 2, 2), bucket.bytes(0, 3, 3)]
        .map((bytes) => bytes.length)
        .reduce((a, b) => a + b);
      expect(report).toMatchObject({ bytesRead: totalBytes, filesRead: 3, commit: 150 });
      expect(seen.at(-1)).toEqual({ doneBytes: totalBytes, totalBytes, files: 3 });
      expect(seen[0]?.doneBytes).toBe(0);
      expect(seen.every(({ doneBytes }, i) => doneBytes > (seen[i - 1]?.doneBytes ?? -1))).toBe(
        true,
      );
      expect(setting.names()).toEqual(['app.db']);
    },
  );

  test(
    'fails if any bit is flipped, and leaves nothing behind',
    async () => {
      const random = randomFrom(3);
      const right = bucket.bytes(9, 1, 1);
      for (let i = 0; i < 12; i++) {
        const damaged = right.slice();
        const at = random.int(100, right.length - 1);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << random.int(0, 7));
        const other = new Bucket();
        for (const [key, { bytes }] of bucket.store.objects) {
          other.store.put(key, bytes, { modifiedAt: new Date(0) });
        }
        other.put(9, 1, 1, damaged);
        const setting = newSetting();
        const { code, message } = await setting.fail({ client: other.client() });
        expect({ at, code, message }).toEqual({
          at,
          code: expect.stringMatching(/^LTX_/),
          message: expect.stringContaining('level 9 '),
        });
        expect(setting.names()).toEqual([]);
      }
    },
    LONG_MS,
  );

  test('starts again if a file is replaced between two ranges', async () => {
    const inner = bucket.client();
    let listings = 0;
    let opens = 0;
    const client: ReplicaFiles = {
      listFiles(level, options) {
        listings += 1;
        return inner.listFiles(level, options);
      },
      async openFile(each, options?: OpenFileOptions) {
        const opened = await inner.openFile(each, options);
        opens += each.level === 9 ? 1 : 0;
        const isOther = each.level === 9 && opens === 2;
        return isOther ? { ...opened, version: 'another' } : opened;
      },
      writeFile: inner.writeFile.bind(inner),
      deleteFiles: inner.deleteFiles.bind(inner),
    };
    const setting = newSetting();
    await setting.run({ client });
    expect(listings).toBe(2);
    expect(Buffer.compare(setting.bytes(), history.bytes(3))).toBe(0);
  });
});

describe('the lock page', () => {
  test(
    'is written as zeros and is not in any file',
    async () => {
      const pageSize = 65_536;
      const lock = lockPgno(pageSize);
      const page = new Uint8Array(pageSize).fill(1);
      const pages = new Map<number, Uint8Array>();
      for (let pgno = 1; pgno <= lock + 1; pgno++) if (pgno !== lock) pages.set(pgno, page);
      const bucket = new Bucket();
      bucket.put(9, 1, 1, encodeFile(1, 1, { pageSize, commit: lock + 1, pages }));
      const setting = newSetting();
      const { commit } = await setting.run({ client: bucket.client() });
      expect(commit).toBe(lock + 1);
      const file = fs.openSync(setting.output, 'r');
      const around = Buffer.alloc(3 * pageSize);
      fs.readSync(file, around, 0, around.length, (lock - 2) * pageSize);
      fs.closeSync(file);
      const expected = Buffer.concat([page, new Uint8Array(pageSize), page]);
      expect(Buffer.compare(around, expected)).toBe(0);
      expect(fs.statSync(setting.output).size).toBe((lock + 1) * pageSize);
    },
    LONG_MS,
  );
});

describe('an abort', () => {
  const { bucket } = makeLarge();
  const reason = new Error('enough');

  test('before the first request touches nothing', async () => {
    const setting = newSetting();
    const { client: chaotic, calls } = chaos(bucket.memory());
    const client = new Replica(chaotic, '');
    await expect(setting.run({ client, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect([calls.list, setting.names()]).toEqual([0, []]);
  });

  test.each([1, 3, 12])(
    'after %i chunks rejects with its reason and leaves nothing behind',
    async (count) => {
      const setting = newSetting();
      const stop = new AbortController();
      let chunks = 0;
      const running = setting.run({
        client: bucket.client({ chunkBytes: MIB }),
        onProgress: () => {
          chunks += 1;
          if (chunks === count) stop.abort(reason);
        },
        signal: stop.signal,
      });
      await expect(running).rejects.toBe(reason);
      expect([chunks, setting.names()]).toEqual([count, []]);
    },
  );

  test('ends at once if the destination does not answer', async () => {
    for (const on of ['list', 'get'] as const) {
      const setting = newSetting();
      const stop = new AbortController();
      const { client } = chaos(bucket.memory(), { on, times: 99, at: 'hang', error: 'hang' });
      const running = setting.run({ client: new Replica(client, ''), signal: stop.signal });
      setImmediate(() => stop.abort(reason));
      await expect(running).rejects.toBe(reason);
      expect(setting.names()).toEqual([]);
    }
  });

  test('keeps the existing database', async () => {
    const setting = newSetting();
    fs.writeFileSync(setting.output, 'old');
    fs.writeFileSync(`${setting.output}-wal`, 'old log');
    const stop = new AbortController();
    const onProgress = (): void => stop.abort(reason);
    const options = { client: bucket.client(), overwrite: 'replace', onProgress } as const;
    await expect(setting.run({ ...options, signal: stop.signal })).rejects.toBe(reason);
    expect(setting.names()).toEqual(['app.db', 'app.db-wal']);
    expect(fs.readFileSync(setting.output, 'utf8')).toBe('old');
  });
});

describe('reading ahead', () => {
  /** Bodies that the test ends; counts requests. */
  function counting(): { client: ReplicaFiles; open: () => number; most: () => number } {
    let [open, most] = [0, 0];
    const client = {
      async openFile(each: LTXFileInfo, { range }: OpenFileOptions = {}) {
        open += 1;
        most = Math.max(most, open);
        const size = (range?.end ?? each.sizeBytes) - (range?.start ?? 0);
        async function* body(): AsyncGenerator<Uint8Array> {
          yield new Uint8Array(size);
          open -= 1;
        }
        return { sizeBytes: each.sizeBytes, body: body() };
      },
    };
    return { client: client as unknown as ReplicaFiles, open: () => open, most: () => most };
  }

  function at(client: ReplicaFiles, listed: LTXFileInfo): SourcedFile {
    return { ...listed, source: { name: 'one', client } };
  }

  test('limits concurrent requests, and makes all requests in order', async () => {
    const { client, most } = counting();
    const files = Array.from({ length: 50 }, (_, i) =>
      at(client, file(0, i + 1, i + 1, { sizeBytes: 200 + i })),
    );
    const { signal } = new AbortController();
    const reads = new ReadAhead(files, { access: sourcedFiles, readsMax: 4, signal });
    for (const each of files) {
      const sizes: number[] = [];
      for await (const chunk of reads.read(each)) sizes.push(chunk.length);
      expect(sizes).toEqual([each.sizeBytes]);
    }
    await reads.close();
    expect(most()).toBeLessThanOrEqual(4);
  });

  test('of a restore: 16 small files at once', async () => {
    const random = randomFrom(6);
    const history = new History(512);
    const bucket = new Bucket();
    history.commit(random, 10, 0);
    bucket.put(9, 1, 1, encodeFile(1, 1, history.image(1)));
    for (let txid = 2; txid <= 40; txid++) {
      history.commit(random, 10, 2);
      bucket.put(0, txid, txid, encodeFile(txid, txid, history.content(txid, txid)));
    }
    const inner = bucket.client();
    let [open, most] = [0, 0];
    const client: ReplicaFiles = {
      listFiles: inner.listFiles.bind(inner),
      async openFile(each, options?: OpenFileOptions) {
        open += 1;
        most = Math.max(most, open);
        for (let turn = 0; turn < 100; turn++) await nextTurn(); // others may begin
        open -= 1;
        return await inner.openFile(each, options);
      },
      writeFile: inner.writeFile.bind(inner),
      deleteFiles: inner.deleteFiles.bind(inner),
    };
    const setting = newSetting();
    await setting.run({ client });
    expect(most).toBe(16);
    expect(Buffer.compare(setting.bytes(), history.bytes(40))).toBe(0);
  });

  test.each([-1, 1])('detects that %i byte more arrived than requested', async (by) => {
    const inner = counting().client;
    const client: ReplicaFiles = {
      ...inner,
      async openFile(each) {
        const body = (async function* () {
          yield new Uint8Array(each.level + 200 + by);
        })();
        return { sizeBytes: 200, body };
      },
    };
    const files = [at(client, file(0, 1, 1, { sizeBytes: 200 }))] as const;
    const { signal } = new AbortController();
    const reads = new ReadAhead(files, { access: sourcedFiles, readsMax: 4, signal });
    const all = Array.fromAsync(reads.read(files[0]));
    await expect(all).rejects.toThrow(expect.objectContaining({ code: 'REPLICA_TRUNCATED' }));
    await reads.close();
  });

  test('buffers at most 32 MiB, regardless of the number of reads', async () => {
    let asked = 0;
    const { client } = counting();
    const watched: ReplicaFiles = {
      ...client,
      async openFile(each, options) {
        asked += (options?.range?.end ?? 0) - (options?.range?.start ?? 0);
        return await client.openFile(each, options);
      },
    };
    const files = [at(watched, file(9, 1, 1, { sizeBytes: 400 * MIB }))] as const;
    const { signal } = new AbortController();
    const reads = new ReadAhead(files, { access: sourcedFiles, readsMax: 999, signal });
    let taken = 0;
    for await (const chunk of reads.read(files[0])) {
      taken += chunk.length;
      expect(asked - (taken - chunk.length)).toBeLessThanOrEqual(32 * MIB);
    }
    await reads.close();
    expect(taken).toBe(400 * MIB);
  });
});

test('a page set holds any number up to 2^32-2, and is small if it has few', () => {
  const set = new PageSet();
  const numbers = [1, 2, 31, 32, 33, 262_143, 262_144, 262_145, 2 ** 32 - 2];
  for (const pgno of numbers) expect(set.add(pgno)).toBe(true);
  for (const pgno of numbers) expect([set.add(pgno), set.has(pgno)]).toEqual([false, true]);
  for (const pgno of [3, 30, 34, 262_142, 2 ** 32 - 3]) expect(set.has(pgno)).toBe(false);
  expect(set.count).toBe(numbers.length);
});
