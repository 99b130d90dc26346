import { describe, expect, test } from 'vitest';
import { listGenerations } from '../../src/v03/generations.ts';
import { describeV03, generationOfKey, parseV03Key } from '../../src/v03/layout.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';

const G = '0123456789abcdef';

test.each([
  [`db/generations/${G}/snapshots/0000000a.snapshot.lz4`, { kind: 'snapshot', index: 10 }],
  [`db/generations/${G}/wal/7fffffff_00000020.wal.lz4`, { index: 0x7fff_ffff, offset: 32 }],
  [`db/generations/${G}/wal/00000001_100000020.wal.lz4`, { index: 1, offset: 2 ** 32 + 32 }],
  [`db/generations/${G}/wal/00000001_0000000100000020.wal.lz4`, { offset: 2 ** 32 + 32 }],
])('%s is an object of a backup', (key, expected) => {
  expect(parseV03Key('db', key)).toMatchObject({ generation: G, ...expected });
});

test.each([
  `db/generations/${G}/snapshots/0000000a.snapshot.lz4.tmp`,
  `db/generations/${G}/snapshots/0000000A.snapshot.lz4`,
  `db/generations/${G}/snapshots/a.snapshot.lz4`,
  `db/generations/${G}/snapshots/80000000.snapshot.lz4`,
  `db/generations/${G}/wal/00000001_0000020.wal.lz4`,
  `db/generations/${G}/wal/00000001_00000000000000020.wal.lz4`,
  `db/generations/${G}/wal/00000001_ffffffffffffffff.wal.lz4`,
  `db/generations/${G}/wal/00000001.wal.lz4`,
  `db/generations/${G}/other/00000001_00000020.wal.lz4`,
  `db/generations/${G.toUpperCase()}/wal/00000001_00000020.wal.lz4`,
  `db/generations/${G.slice(1)}/wal/00000001_00000020.wal.lz4`,
  `generations/${G}/wal/00000001_00000020.wal.lz4`,
])('%s is none', (key) => {
  expect(parseV03Key('db', key)).toBeUndefined();
});

test('a name has the digits of its key', () => {
  const name = parseV03Key('', `generations/${G}/wal/00000001_100000020.wal.lz4`);
  expect(name && describeV03(name)).toBe(`${G}/wal/00000001_100000020.wal.lz4`);
  expect(generationOfKey('', `generations/${G}/`)).toBeUndefined();
});

describe('a listing', () => {
  const store = new MemoryStore();
  const add = (key: string, seconds: number): void => {
    store.put(key, new Uint8Array(1), { modifiedAt: new Date(seconds * 1_000) });
  };
  add(`generations/${G}/snapshots/00000000.snapshot.lz4`, 1);
  add(`generations/${G}/wal/00000000_ffffffe0.wal.lz4`, 2);
  add(`generations/${G}/wal/00000000_100000020.wal.lz4`, 3);
  add(`generations/${G}/wal/00000001_00000000.wal.lz4`, 4);
  add(`generations/${G}/wal/note.txt`, 99);
  add('generations/fedcba9876543210/wal/note.txt', 5);
  add('generations/readme.txt', 6);
  add('elsewhere/generations/0000000000000000/snapshots/00000000.snapshot.lz4', 7);

  test('sorts by numbers: an offset of 9 digits comes after one of 8', async () => {
    const [first] = await listGenerations(memoryClient({ store }), '');
    const positions = first?.segments.map(({ index, offset }) => [index, offset]);
    expect(positions).toEqual([
      [0, 0xffff_ffe0],
      [0, 2 ** 32 + 32],
      [1, 0],
    ]);
  });

  test('has the times of what it knows, and the keys of what it does not', async () => {
    const generations = await listGenerations(memoryClient({ store }), '');
    expect(
      generations.map(({ id, createdAt, updatedAt, unknown }) => [
        id,
        createdAt.getTime(),
        updatedAt.getTime(),
        unknown,
      ]),
    ).toEqual([
      [G, 1_000, 4_000, [`generations/${G}/wal/note.txt`]],
      ['fedcba9876543210', 5_000, 5_000, ['generations/fedcba9876543210/wal/note.txt']],
    ]);
  });
});
