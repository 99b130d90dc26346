import { describe, expect, test } from 'vitest';
import { isError } from '../../src/error.ts';
import { createKernel } from '../../src/kernel/kernel.ts';
import type { LTXHeader } from '../../src/ltx/header.ts';
import { merge, MERGE_INPUTS_MAX, type MergedFile } from '../../src/ltx/merge.ts';
import { mergeHeaders } from '../../src/ltx/merged-header.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { forge, headerWith, readFile, writeFile, type Page } from '../support/ltx-files.ts';
import { poisonOldResults } from '../support/ltx-poisoning-kernel.ts';
import { concat } from '../support/ltx-reference-kernel.ts';
import { randomFrom, seedOf } from '../support/random.ts';
import { codeOf } from './code-of.ts';

const kernel = poisonOldResults(createKernel());

/** The header of a file with TXIDs `min` to `max`. */
function spanning(min: number, max: number, fields: Partial<LTXHeader> = {}): LTXHeader {
  return headerWith({ commit: 9, minTXID: toTXID(min), maxTXID: toTXID(max), ...fields });
}

/** Pages filled with `fill`. */
function pages(fill: number, ...pgnos: number[]): Page[] {
  return pgnos.map((pgno) => ({ pgno, bytes: new Uint8Array(512).fill(fill) }));
}

async function* body(bytes: Uint8Array, chunkBytes = 100): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

function file(header: LTXHeader, pages: readonly Page[]): Uint8Array {
  return writeFile(kernel, header, pages).whole;
}

async function mergeAll(files: readonly Uint8Array[]): Promise<Uint8Array> {
  return concat(
    await Array.fromAsync(
      merge(
        kernel,
        files.map((bytes) => body(bytes)),
      ),
    ),
  );
}

async function rejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (isError(error)) return error.code;
    throw error;
  }
  return 'none';
}

describe('a merge', () => {
  test('takes the newest version of each page', async () => {
    const merged = await mergeAll([
      file(spanning(2, 2), pages(2, 1, 3, 5)),
      file(spanning(3, 3), pages(3, 3, 4)),
      file(spanning(4, 6), pages(4, 5, 9)),
    ]);
    const { header, pages: found } = readFile(kernel, [merged]);
    expect(header).toEqual(spanning(2, 6));
    expect(found.map(({ pgno, bytes }) => [pgno, bytes[0]])).toEqual([
      [1, 2],
      [3, 3],
      [4, 3],
      [5, 4],
      [9, 4],
    ]);
  });

  test('drops pages beyond the newest commit, and reads their files to the end', async () => {
    const merged = await mergeAll([
      file(spanning(2, 2), pages(2, 1, 8, 9)),
      file(spanning(3, 3, { commit: 7 }), pages(3, 2)),
    ]);
    expect(readFile(kernel, [merged]).pages.map(({ pgno }) => pgno)).toEqual([1, 2]);
    const damaged = file(spanning(2, 2), pages(2, 1, 8, 9)).slice();
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    const files = [damaged, file(spanning(3, 3, { commit: 7 }), pages(3, 2))];
    expect(await rejection(mergeAll(files))).toBe('LTX_CHECKSUM_MISMATCH');
  });

  test('takes time and commit from the newest, no WAL fields, and no database checksums', async () => {
    const tracked = { flags: 0, preApplyChecksum: (1n << 63n) | 1n };
    const oldest = forge({
      header: spanning(2, 2, { ...tracked, walOffset: 32n, walSize: 536n, walSalt1: 5 }),
      pages: pages(2, 1),
      postApplyChecksum: (1n << 63n) | 2n,
    });
    const newest = forge({
      header: spanning(3, 3, { ...tracked, commit: 4, timestampMs: 77 }),
      pages: pages(3, 2),
      postApplyChecksum: (1n << 63n) | 3n,
    });
    const { header, trailer } = readFile(kernel, [await mergeAll([oldest, newest])]);
    expect(header).toEqual(spanning(2, 3, { commit: 4, timestampMs: 77 }));
    expect(trailer.postApplyChecksum).toBe(0n);
  });

  test('of one file gives the same pages', async () => {
    const merged = await mergeAll([file(spanning(1, 4, { commit: 2 }), pages(1, 1, 2))]);
    expect(merged).toEqual(file(spanning(1, 4, { commit: 2 }), pages(1, 1, 2)));
  });

  test('returns the metadata of the merged file at the end', async () => {
    const made = merge(kernel, [body(file(spanning(2, 3), pages(2, 1, 3, 5)))]);
    let bytes = 0;
    let result: MergedFile | undefined;
    while (result === undefined) {
      const next = await made.next();
      if (next.done === true) result = next.value;
      else bytes += next.value.length;
    }
    expect(result.sizeBytes).toBe(bytes);
    expect(result.pageCount).toBe(3);
    expect(result.header.maxTXID).toBe(3n);
  });

  test('writes the requested encoding', async () => {
    const bytes = file(spanning(2, 2), pages(2, 1));
    const chunks = await Array.fromAsync(merge(kernel, [body(bytes)], { encoding: 'frame' }));
    const same = writeFile(kernel, spanning(2, 2), pages(2, 1), 'frame').whole;
    expect(concat(chunks)).toEqual(same);
  });

  test('refuses a snapshot with a missing page: the first, one in the middle, or the last', async () => {
    const base = file(spanning(1, 1, { commit: 2 }), pages(1, 1, 2));
    const gap = file(spanning(2, 2, { commit: 5 }), pages(2, 4, 5));
    const end = file(spanning(2, 2, { commit: 5 }), pages(2, 3, 4));
    const lone = file(spanning(1, 1, { commit: 1 }), pages(1, 1));
    expect(await rejection(mergeAll([base, gap]))).toBe('LTX_INVALID');
    expect(await rejection(mergeAll([base, end]))).toBe('LTX_INVALID');
    const none = file(spanning(2, 2, { commit: 3 }), []);
    expect(await rejection(mergeAll([lone, none]))).toBe('LTX_INVALID');
  });

  test('allows missing pages if it is not a snapshot', async () => {
    const files = [file(spanning(2, 2), []), file(spanning(3, 3), pages(3, 7))];
    expect(readFile(kernel, [await mergeAll(files)]).pages.length).toBe(1);
  });

  test('gives no complete file from a damaged one', async () => {
    const older = file(spanning(2, 2), pages(2, 1, 2, 3));
    const newer = file(spanning(3, 3), pages(3, 1, 2, 3));
    expect(older.length).toBe(newer.length);
    for (const cut of [0, 50, 100, older.length - 20, older.length - 1]) {
      expect(await rejection(mergeAll([older.subarray(0, cut), newer]))).toBe('LTX_TRUNCATED');
      expect(await rejection(mergeAll([older, newer.subarray(0, cut)]))).toBe('LTX_TRUNCATED');
    }
  });

  test('refuses more files than its limit, and none', async () => {
    const one = file(spanning(2, 2), []);
    const many = Array.from({ length: MERGE_INPUTS_MAX + 1 }, () => one);
    expect(await rejection(mergeAll(many))).toBe('LTX_UNSUPPORTED');
    expect(await rejection(mergeAll([]))).toBe('LTX_NOT_CONTIGUOUS');
  });

  test('merges as many files as its limit', async () => {
    const files = Array.from({ length: MERGE_INPUTS_MAX }, (_, index) =>
      file(spanning(index + 2, index + 2), pages(index & 0xff, 1 + (index % 9))),
    );
    const { header, pages: found } = readFile(kernel, [await mergeAll(files)]);
    expect(header.maxTXID).toBe(BigInt(MERGE_INPUTS_MAX + 1));
    expect(found.length).toBe(9);
  });

  test('closes every body: at the end, after an error, and if it is left early', async () => {
    let open = 0;
    const watched = async function* (bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
      open += 1;
      try {
        yield* body(bytes);
      } finally {
        open -= 1;
      }
    };
    const files = [file(spanning(2, 2), pages(2, 1, 2, 3)), file(spanning(3, 3), pages(3, 1))];
    await Array.fromAsync(merge(kernel, files.map(watched)));
    expect(open).toBe(0);
    await rejection(Array.fromAsync(merge(kernel, files.toReversed().map(watched))));
    expect(open).toBe(0);
    for await (const chunk of merge(kernel, files.map(watched))) {
      expect(chunk.length).toBe(100);
      expect(open).toBe(2);
      break;
    }
    expect(open).toBe(0);
  });

  test('passes on the errors of a body', async () => {
    const broken = async function* (): AsyncGenerator<Uint8Array, void> {
      yield file(spanning(2, 2), pages(2, 1)).subarray(0, 120);
      throw new Error('the disk is gone');
    };
    await expect(Array.fromAsync(merge(kernel, [broken()]))).rejects.toThrow('the disk is gone');
  });

  test('rejects with the reason of its signal', async () => {
    const reason = new Error('enough');
    const { signal } = { signal: AbortSignal.abort(reason) };
    const made = merge(kernel, [body(file(spanning(2, 2), pages(2, 1)))], { signal });
    await expect(Array.fromAsync(made)).rejects.toBe(reason);
  });

  test('of random files in random groups equals the merge of all at once', async () => {
    const seed = seedOf();
    console.log(`seed ${seed}`);
    const random = randomFrom(seed);
    for (let round = 0; round < 20; round++) {
      const count = random.int(2, 12);
      let commit = random.int(1, 60);
      const base = Array.from({ length: commit }, (_, index) => index + 1);
      const files = [file(spanning(1, 1, { commit }), pages(1, ...base))];
      const expected = new Map(base.map((pgno) => [pgno, 1]));
      for (let txid = 2; txid <= count; txid++) {
        const next = Math.max(1, commit + random.int(-8, 8));
        const grown = Array.from({ length: next }, (_, index) => index + 1).filter(
          (pgno) => pgno > commit || random.chance(0.2),
        );
        files.push(file(spanning(txid, txid, { commit: next }), pages(txid, ...grown)));
        for (const pgno of grown) expected.set(pgno, txid);
        commit = next;
      }
      const once = await mergeAll(files);
      const at = random.int(1, files.length - 1);
      const older = await mergeAll(files.slice(0, at));
      const newer = await mergeAll(files.slice(at));
      expect(Buffer.compare(await mergeAll([older, newer]), once)).toBe(0);
      const found = readFile(kernel, [once]).pages.map(({ pgno, bytes }) => [pgno, bytes[0]]);
      expect(found).toEqual(
        [...expected].filter(([pgno]) => pgno <= commit).toSorted(([a], [b]) => a - b),
      );
    }
  });

  test('skips the lock page', async () => {
    const pageSize = 65536;
    const at = (pgno: number): Page => ({ pgno, bytes: new Uint8Array(pageSize).fill(pgno) });
    const fields = { pageSize, commit: 16386 };
    const files = [
      file(spanning(2, 2, fields), [at(16384)]),
      file(spanning(3, 3, fields), [at(16384), at(16386)]),
    ];
    const { pages: found } = readFile(kernel, [await mergeAll(files)]);
    expect(found.map(({ pgno }) => pgno)).toEqual([16384, 16386]);
  });
});

describe('files can be merged', () => {
  const code = (...headers: LTXHeader[]): string => codeOf(() => mergeHeaders(headers));

  test('if each begins at most one TXID after the previous file, and ends after it', () => {
    expect(code(spanning(2, 4), spanning(5, 5))).toBe('none');
    expect(code(spanning(2, 4), spanning(3, 6))).toBe('none');
    expect(code(spanning(2, 4), spanning(2, 6))).toBe('none');
    expect(code(spanning(2, 4), spanning(6, 6))).toBe('LTX_NOT_CONTIGUOUS');
    expect(code(spanning(2, 4), spanning(3, 4))).toBe('LTX_NOT_CONTIGUOUS');
    expect(code(spanning(2, 4), spanning(2, 3))).toBe('LTX_NOT_CONTIGUOUS');
    expect(code(spanning(2, 2), spanning(3, 3), spanning(5, 5))).toBe('LTX_NOT_CONTIGUOUS');
  });

  test('if they have the same page size', () => {
    const other = spanning(3, 3, { pageSize: 1024 });
    expect(code(spanning(2, 2), other)).toBe('LTX_NOT_CONTIGUOUS');
  });

  test('if they have the same lineage, which is kept if all files have it', () => {
    const of = (txid: number, nodeID: bigint): LTXHeader => spanning(txid, txid, { nodeID });
    expect(mergeHeaders([of(2, 7n), of(3, 7n)]).nodeID).toBe(7n);
    expect(mergeHeaders([of(2, 7n), of(3, 0n)]).nodeID).toBe(0n);
    expect(mergeHeaders([of(2, 0n), of(3, 7n)]).nodeID).toBe(0n);
    expect(code(of(2, 7n), of(3, 8n))).toBe('LTX_NOT_CONTIGUOUS');
    expect(code(of(2, 7n), of(3, 0n), of(4, 8n))).toBe('LTX_NOT_CONTIGUOUS');
  });

  test('if the result has pages', () => {
    expect(code(spanning(2, 2), spanning(3, 3, { commit: 0 }))).toBe('LTX_UNSUPPORTED');
  });
});
