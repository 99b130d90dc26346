import { expect, test } from 'vitest';
import { toTXID } from '../../src/ltx/txid.ts';
import { nextCounter } from '../../src/warm-copy/first-page.ts';
import {
  findState,
  formatPosition,
  parsePosition,
  type CopyState,
  type Position,
} from '../../src/warm-copy/position.ts';

function state(txid: number): CopyState {
  const last = {
    level: 0,
    minTXID: toTXID(txid),
    maxTXID: toTXID(txid),
    sizeBytes: 200,
    checksum: 1n << 63n,
  };
  const marks = { sizeBytes: 8192, firstPage: BigInt(txid) * 1_000n };
  return {
    txid: toTXID(txid),
    lineage: 5n,
    timestampMs: 1_700_000_000_000,
    last,
    marks,
    sourceMode: 'wal',
  };
}

const position: Position = { kind: 'following', states: [state(1), state(2)] };

test('a position is read as it was written', () => {
  expect(parsePosition(formatPosition(position))).toEqual(position);
});

test('a position that is cut off, or lacks a field, is refused', () => {
  const text = formatPosition(position);
  for (let end = 0; end < text.trimEnd().length; end++) {
    expect(() => parsePosition(text.slice(0, end))).toThrow(Error);
  }
  for (const name of [
    'txid',
    'lineage',
    'timestampMs',
    'checksum',
    'sizeBytes',
    'firstPage',
    'sourceMode',
    'kind',
  ]) {
    expect(() => parsePosition(text.replace(`"${name}"`, '"other"'))).toThrow(Error);
  }
});

test('the copy shows which of the states it holds, or that it holds neither', () => {
  const { marks } = state(2);
  expect(findState(position, marks)?.txid).toBe(2n);
  expect(findState(position, { ...marks, sizeBytes: 4096 })).toBeUndefined();
  expect(findState(position, { ...marks, firstPage: 7n })).toBeUndefined();
});

test('the next change counter is never one that another program reaches with a few writes', () => {
  for (const before of [0, 1, 2 ** 31, 2 ** 32 - 1]) {
    for (const random of [0, 1, 65_535, 2 ** 31, 2 ** 32 - 1]) {
      const next = nextCounter(before, random);
      const writes = (next - before + 2 ** 32) % 2 ** 32;
      expect(next).toBeLessThan(2 ** 32);
      expect(writes).toBeGreaterThanOrEqual(2 ** 16);
      expect(2 ** 32 - writes).toBeGreaterThanOrEqual(2 ** 16);
    }
  }
});
