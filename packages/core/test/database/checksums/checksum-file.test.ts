/** The file `checksums`: only an intact file that describes exactly the newest staged file counts. */

import { describe, expect, test } from 'vitest';
import {
  type ChecksumBase,
  type ChecksumRecord,
  encodeBase,
  encodeRecord,
  parseChecksums,
} from '../../../src/database/checksums/checksum-file.ts';
import { ChecksumTable } from '../../../src/database/checksums/checksum-table.ts';
import { createKernel } from '../../../src/kernel/kernel.ts';

const kernel = createKernel();

/** Words of `count` pages: any numbers but 0. */
function wordsOf(count: number, from: number): Uint32Array {
  return Uint32Array.from({ length: 2 * count }, (_, index) => from + index);
}

function baseOf(): ChecksumBase {
  return {
    txid: 7n,
    fileChecksum: 0x8000000000000007n,
    lineage: 0xabcdef0123456789n,
    file: { device: 1n, inode: 2n, bornNs: 2n ** 62n },
    table: new ChecksumTable(512, 0xfedcba9876543210n, wordsOf(5, 100)),
  };
}

function recordOf(txid: bigint, change: Partial<ChecksumRecord> = {}): ChecksumRecord {
  const pgnos = Uint32Array.of(1, 4, 7);
  const record = { txid, fileChecksum: 0x8000000000000000n + txid, commit: 7, pgnos };
  return { ...record, words: wordsOf(3, 1000 * Number(txid)), ...change };
}

function fileOf(base: ChecksumBase, records: readonly ChecksumRecord[]): Buffer {
  let part = encodeBase(base, kernel);
  const chunks = [...part.chunks];
  for (const record of records) {
    part = encodeRecord(record, part.crc, kernel);
    chunks.push(...part.chunks);
  }
  return Buffer.concat(chunks);
}

const at = (txid: bigint): { txid: bigint; fileChecksum: bigint } => ({
  txid,
  fileChecksum: 0x8000000000000000n + txid,
});

describe('checksums', () => {
  test('round-trip at the base', () => {
    const found = parseChecksums(fileOf(baseOf(), []), at(7n), kernel);
    expect(found).toEqual(baseOf());
    const bornNs = undefined;
    const unknown = { ...baseOf(), file: { device: 3n, inode: 4n, bornNs } };
    expect(parseChecksums(fileOf(unknown, []), at(7n), kernel)).toEqual(unknown);
  });

  test('are those of the base with the records applied up to the newest staged file', () => {
    const shrunk = recordOf(9n, { commit: 4, pgnos: Uint32Array.of(2), words: wordsOf(1, 5) });
    const bytes = fileOf(baseOf(), [recordOf(8n), shrunk, recordOf(10n)]);
    for (const [txid, pages, second] of [
      [7n, 5, 102],
      [8n, 7, 102],
      [9n, 4, 5],
      [10n, 7, 5],
    ] as const) {
      const found = parseChecksums(bytes, at(txid), kernel);
      if (typeof found === 'string') throw new Error(found);
      expect(found).toMatchObject({ ...at(txid), lineage: baseOf().lineage });
      expect(found.table.pages).toBe(pages);
      expect(found.table.matches(2, second, second + 1)).toBe(true);
    }
  });

  test('a page has none after the database was smaller than it', () => {
    const shrunk = recordOf(8n, { commit: 1, pgnos: new Uint32Array(0), words: wordsOf(0, 0) });
    const bytes = fileOf(baseOf(), [shrunk, recordOf(9n)]);
    const found = parseChecksums(bytes, at(9n), kernel);
    if (typeof found === 'string') throw new Error(found);
    expect([...found.table.words].slice(2, 6)).toEqual([0, 0, 0, 0]); // pages 2 and 3
    expect(found.table.matches(2, 0, 0)).toBe(false);
  });

  test.for([
    ['older than the newest staged file', at(9n), /ends before/],
    ['newer than the newest staged file', at(6n), /is newer/],
    ['of another file with that TXID', { ...at(8n), fileChecksum: 1n }, /another staged file/],
    ['of another base with that TXID', { ...at(7n), fileChecksum: 1n }, /another staged file/],
  ] as const)('do not count if they are %s', ([, staged, why]) => {
    expect(parseChecksums(fileOf(baseOf(), [recordOf(8n)]), staged, kernel)).toMatch(why);
  });

  test('do not count if a staged file is left out', () => {
    const bytes = fileOf(baseOf(), [recordOf(9n)]);
    expect(parseChecksums(bytes, at(9n), kernel)).toMatch(/leaves out/);
  });

  test('do not count in a file that is truncated anywhere', () => {
    const bytes = fileOf(baseOf(), [recordOf(8n), recordOf(9n)]);
    for (let length = 0; length < bytes.length; length++) {
      expect(parseChecksums(bytes.subarray(0, length), at(9n), kernel)).toBeTypeOf('string');
    }
  });

  test('do not count in a file with a flipped bit anywhere', () => {
    const bytes = fileOf(baseOf(), [recordOf(8n)]);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(parseChecksums(damaged, at(8n), kernel)).toBeTypeOf('string');
    }
  });

  test('do not count in a file with a record of another file', () => {
    const [ours, theirs] = [baseOf(), { ...baseOf(), lineage: 1n }];
    const length = fileOf(ours, []).length;
    const record = fileOf(theirs, [recordOf(8n)]).subarray(length);
    const bytes = Buffer.concat([fileOf(ours, []), record]);
    expect(parseChecksums(bytes, at(8n), kernel)).toMatch(/ends before/);
    expect(parseChecksums(bytes, at(7n), kernel)).toEqual(ours);
  });

  test('do not count in zeros and in an empty file', () => {
    expect(parseChecksums(new Uint8Array(0), at(7n), kernel)).toMatch(/damaged/);
    expect(parseChecksums(new Uint8Array(4096), at(7n), kernel)).toMatch(/damaged/);
  });
});
