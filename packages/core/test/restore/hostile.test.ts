/** Any damage to a file causes an error or is harmless, and leaves nothing behind. */

import { describe, expect, test } from 'vitest';
import { HEADER_SIZE_BYTES } from '../../src/ltx/header.ts';
import { ReplicationError } from '../../src/error.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import type { LTXFileInfo, ReplicaFiles } from '../../src/replica/replica.ts';
import { randomFrom, seedOf } from '../support/random.ts';
import { Bucket, encodeFile, forgeFile, History, type FileContent } from './bucket.ts';
import { forge, headerWith, type Forgery, type IndexEntry } from '../support/ltx-files.ts';
import { concat } from '../support/ltx-reference-kernel.ts';
import { newSetting, type Setting } from './setting.ts';

type Place = [level: number, min: number, max: number];
const PLAN: readonly Place[] = [
  [9, 1, 3],
  [2, 3, 5],
  [0, 6, 6],
];
const PAGE_SIZE = 512;

function makeBucket(): { bucket: Bucket; history: History } {
  const random = randomFrom(7);
  const history = new History(PAGE_SIZE);
  for (const size of [4, 5, 6, 6, 5, 6]) history.commit(random, size, 2);
  const bucket = new Bucket();
  for (const [level, min, max] of PLAN) {
    const content = min === 1 ? history.image(max) : history.content(min, max);
    bucket.put(level, min, max, encodeFile(min, max, content));
  }
  return { bucket, history };
}

/** Start of the page index: after six zero bytes, before its length and the trailer. */
function indexStart(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.length - 24 - Number(view.getBigUint64(bytes.length - 24));
}

/** Concurrent restores of a modified file. They are limited by the disk. */
const AT_ONCE = 16;
/** Timeout of hundreds of restores on a machine under load. */
const LONG_MS = 120_000;

/** Restores each one into a folder of its own, from a bucket that has it instead of the right file. */
async function tryEach(
  place: Readonly<Place>,
  damaged: readonly Uint8Array[],
): Promise<(Uint8Array | ReplicationError)[]> {
  const results: (Uint8Array | ReplicationError)[] = [];
  const waiting = damaged.entries();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      const setting = newSetting();
      for (const [index, bytes] of waiting) {
        const { bucket } = makeBucket();
        bucket.put(...place, bytes);
        try {
          await setting.run({ client: bucket.client(), overwrite: 'replace' });
          results[index] = setting.bytes();
        } catch (error) {
          if (!(error instanceof ReplicationError)) throw error;
          results[index] = error;
        }
      }
      expect(setting.names().filter((name) => name !== 'app.db')).toEqual([]);
    }),
  );
  return results;
}

describe('in each file of a plan', () => {
  test.each(PLAN)(
    'level %i %i-%i: each flipped bit from the index on, and some flipped bits before it',
    async (...place) => {
      const seed = seedOf();
      console.log(`restore hostile: SLUICE_SEED=${seed}`);
      const random = randomFrom(seed);
      const { bucket, history } = makeBucket();
      const right = bucket.bytes(...place);
      const flips: { at: number; bit: number }[] = [];
      for (let at = 0; at < right.length; at++) {
        const isPage = at >= HEADER_SIZE_BYTES && at < indexStart(right);
        if (isPage && !random.chance(0.15)) continue;
        const bits = at < indexStart(right) ? [random.int(0, 7)] : [0, 1, 2, 3, 4, 5, 6, 7];
        for (const bit of bits) flips.push({ at, bit });
      }
      const damaged = flips.map(({ at, bit }) => {
        const bytes = right.slice();
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        return bytes;
      });
      for (const [i, result] of (await tryEach(place, damaged)).entries()) {
        const where = flips[i];
        if (result instanceof ReplicationError) {
          expect({ ...where, code: result.code }).toEqual({
            ...where,
            code: expect.stringMatching(/^LTX_|^RESTORE_OUTPUT/),
          });
        } else {
          expect({ ...where, bytes: result }).toEqual({ ...where, bytes: history.bytes(6) });
          expect(where?.at).toBeLessThan(indexStart(right));
        }
      }
    },
    LONG_MS,
  );

  test.each(PLAN)(
    'level %i %i-%i: every tenth truncation, and a byte too many',
    async (...place) => {
      const { bucket } = makeBucket();
      const right = bucket.bytes(...place);
      const damaged: Uint8Array[] = [new Uint8Array([...right, 0])];
      for (let length = HEADER_SIZE_BYTES; length < right.length; length++) {
        const isNearEnd = length >= indexStart(right) - 8;
        if (length % 10 === 0 || isNearEnd) damaged.push(right.slice(0, length));
      }
      for (const result of await tryEach(place, damaged)) {
        expect(result).toBeInstanceOf(ReplicationError);
        if (!(result instanceof ReplicationError)) continue;
        expect(result.code).toMatch(/^LTX_(TRUNCATED|INVALID|CHECKSUM_MISMATCH)$/);
        expect(result.message).toContain(`level ${place[0]} `);
      }
    },
    LONG_MS,
  );
});

describe('a wrong file', () => {
  test('with another name in its header is rejected, and the error has both names', async () => {
    const { bucket, history } = makeBucket();
    bucket.put(0, 6, 6, encodeFile(5, 5, history.content(5, 5)));
    const error = await newSetting().fail({ client: bucket.client() });
    expect(error.code).toBe('LTX_INVALID');
    expect(error.message).toContain('0000000000000006-0000000000000006.ltx');
    expect(error.message).toContain('0000000000000005-0000000000000005.ltx');
  });

  test('with another page size is not mixed in', async () => {
    const { bucket, history } = makeBucket();
    const foreign: FileContent = {
      commit: 6,
      pageSize: 1024,
      pages: new Map([[1, new Uint8Array(1024)]]),
    };
    bucket.put(2, 3, 5, encodeFile(3, 5, foreign));
    const error = await newSetting().fail({ client: bucket.client() });
    expect(error.code).toBe('LTX_NOT_CONTIGUOUS');
    expect(error.message).toContain('1024');
    expect(history.pageSize).toBe(512);
  });

  test('that lacks a page no other file has is an error that names the page', async () => {
    const { bucket, history } = makeBucket();
    const { pages, ...rest } = history.content(6, 6);
    const grown = { ...rest, commit: 8, pages: new Map([...pages, [7, new Uint8Array(512)]]) };
    bucket.put(0, 6, 6, encodeFile(6, 6, grown));
    const setting = newSetting();
    const error = await setting.fail({ client: bucket.client() });
    expect(error.code).toBe('RESTORE_INTEGRITY');
    expect(error.message).toContain('page 8 of 8');
    expect(setting.names()).toEqual([]);
  });

  test('that claims a database of 2 TiB allocates nothing for it', async () => {
    const { bucket } = makeBucket();
    bucket.put(0, 6, 6, forgeFile(6, 6, { pageSize: 512, commit: 0xffff_fffe, pgnos: [1, 2] }));
    const setting = newSetting();
    const before = process.memoryUsage().rss;
    const error = await setting.fail({ client: bucket.client() });
    expect(error.code).toMatch(/^RESTORE_/);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
    expect(setting.names()).toEqual([]);
  });
});

describe('a file with a valid checksum', () => {
  const snapshot = { level: 9, min: 1, max: 6, commit: 5 };
  const increment = { level: 0, min: 6, max: 6, commit: 8 };

  test.each([
    { but: 'has a page twice', of: increment, pgnos: [1, 2, 2], says: 'page 2 follows page 2' },
    { but: 'has pages that descend', of: increment, pgnos: [3, 2], says: 'page 2 follows page 3' },
    { but: 'has a page beyond its end', of: increment, pgnos: [8, 9], says: 'page 9 is beyond' },
    {
      but: 'has the lock page',
      of: { ...increment, commit: 2_097_200 },
      pgnos: [2_097_152, 2_097_153],
      says: 'the lock page',
    },
    {
      but: 'is a snapshot with a hole',
      of: snapshot,
      pgnos: [1, 3, 4, 5],
      says: 'page 2 of a snapshot is missing',
    },
    {
      but: 'is a snapshot without its end',
      of: snapshot,
      pgnos: [1, 2, 3, 4],
      says: 'ends with page 4',
    },
    {
      but: 'is of a database of no pages',
      of: { ...increment, commit: 0 },
      pgnos: [],
      says: 'no pages',
    },
  ])('but $but is refused', async ({ of, pgnos, says }) => {
    const { bucket } = makeBucket();
    const { level, min, max, commit } = of;
    if (level === 9) for (const place of PLAN) bucket.remove(...place);
    bucket.put(level, min, max, forgeFile(min, max, { pageSize: 512, commit, pgnos }));
    const setting = newSetting();
    const error = await setting.fail({ client: bucket.client() });
    expect([error.code, error.message]).toEqual(['LTX_INVALID', expect.stringContaining(says)]);
    expect(setting.names()).toEqual([]);
  });

  const pages = [1, 2, 3, 4, 5].map((pgno) => ({ pgno, bytes: new Uint8Array(512).fill(pgno) }));
  const header = headerWith({ maxTXID: toTXID(6), commit: 5 });
  const more: IndexEntry = { pgno: 6, offset: 999, sizeBytes: 9 };

  test.each<{ but: string } & Partial<Forgery>>([
    { but: 'whose index lacks a page', index: (entries) => entries.slice(0, -1) },
    { but: 'whose index names a page more', index: (entries) => [...entries, more] },
    {
      but: 'whose index names another page',
      index: (entries) =>
        entries.map((entry) => ({ ...entry, pgno: entry.pgno === 5 ? 6 : entry.pgno })),
    },
    {
      but: 'whose frames overlap by its index',
      index: (entries) => entries.map((entry) => ({ ...entry, sizeBytes: entry.sizeBytes + 1 })),
    },
    { but: 'whose index is empty', index: () => [] },
    { but: 'with a wrong length of its index', indexLength: (length) => length - 1 },
    { but: 'with bytes before its trailer', before: new Uint8Array(1) },
  ])('but $but is refused', async (lies) => {
    const restoring = async (forgery: Partial<Forgery>): Promise<Setting> => {
      const bucket = new Bucket();
      bucket.put(9, 1, 6, forge({ header, pages, ...forgery }));
      const setting = newSetting();
      await setting.run({ client: bucket.client() });
      return setting;
    };
    expect((await restoring({})).bytes()).toEqual(concat(pages.map(({ bytes }) => bytes)));
    await expect(restoring(lies)).rejects.toMatchObject({
      code: expect.stringMatching(/^LTX_(INVALID|TRUNCATED)$/),
    });
  });

  test('and valid pages is restored', async () => {
    const bucket = new Bucket();
    bucket.put(9, 1, 6, forgeFile(1, 6, { pageSize: 512, commit: 5, pgnos: [1, 2, 3, 4, 5] }));
    const setting = newSetting();
    await setting.run({ client: bucket.client() });
    expect(setting.bytes()).toEqual(new Uint8Array(5 * 512));
  });
});

describe('a listing with a wrong size', () => {
  function lying(client: ReplicaFiles, by: number): ReplicaFiles {
    return {
      ...bound(client),
      async *listFiles(level, options): AsyncGenerator<LTXFileInfo> {
        for await (const file of client.listFiles(level, options)) {
          yield file.level === 2 ? { ...file, sizeBytes: file.sizeBytes + by } : file;
        }
      },
    };
  }

  test.each([-200, -1, 1, 5_000_000, 2 ** 50])(
    'is detected if it is off by %i bytes',
    async (by) => {
      const { bucket } = makeBucket();
      const setting = newSetting();
      const error = await setting.fail({ client: lying(bucket.client(), by) });
      expect(error.code).toBe('REPLICA_CHANGED');
      expect(setting.names()).toEqual([]);
    },
  );
});

function bound(client: ReplicaFiles): ReplicaFiles {
  return {
    listFiles: client.listFiles.bind(client),
    openFile: client.openFile.bind(client),
    writeFile: client.writeFile.bind(client),
    deleteFiles: client.deleteFiles.bind(client),
  };
}
