import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  allLevelsPrefix,
  keyOf,
  levelPrefix,
  objectKey,
  objectPrefix,
  parseKey,
  parseObjectKey,
  rootOfURLPath,
  startAfterKey,
} from '../../src/store/layout.ts';
import type { Layout } from '../../src/store/client.ts';
import { toTXID } from '../../src/ltx/txid.ts';

const file = { level: 0, minTXID: toTXID(1), maxTXID: toTXID(1) };
const F = '0000000000000001-0000000000000001.ltx';

describe('the root of the levels layout is concatenated unchanged', () => {
  test.each([
    ['db', `db/0000/${F}`],
    ['', `/0000/${F}`],
    ['.', `./0000/${F}`],
    ['db/', `db//0000/${F}`],
    ['/db', `/db/0000/${F}`],
  ])('root "%s" gives "%s"', (root, key) => {
    expect(keyOf('levels', root, file)).toBe(key);
    expect(parseKey('levels', root, key)).toEqual(file);
  });
});

describe('the root of a tree is joined and cleaned', () => {
  test.each([
    ['db', `db/ltx/0/${F}`],
    ['', `ltx/0/${F}`],
    ['.', `ltx/0/${F}`],
    ['db/', `db/ltx/0/${F}`],
    ['/db//x/../y', `/db/y/ltx/0/${F}`],
    ['/', `/ltx/0/${F}`],
  ])('root "%s" gives "%s"', (root, key) => {
    expect(keyOf('tree', root, file)).toBe(key);
    expect(parseKey('tree', root, key)).toEqual(file);
  });
});

test('a URL path gives the same root as in Litestream', () => {
  const roots = ['s3://b/db', 's3://b/db/', 's3://b//db', 's3://b/', 's3://b', 's3://b/a/b/?x=1'];
  const read = roots.map((url) => rootOfURLPath(new URL(url).pathname));
  expect(read).toEqual(['db', 'db', 'db', '', '.', 'a/b']);
  expect(rootOfURLPath('/a%20b')).toBe('a b');
  expect(rootOfURLPath('/%FF')).toBe('%FF');
  expect(rootOfURLPath('/100%/db')).toBe('100%/db');
});

test('snapshots are at level 9, in both layouts', () => {
  const snapshot = { level: 9, minTXID: toTXID(1), maxTXID: toTXID(0x2a) };
  const name = '0000000000000001-000000000000002a.ltx';
  expect(keyOf('levels', 'db', snapshot)).toBe(`db/0009/${name}`);
  expect(keyOf('tree', 'db', snapshot)).toBe(`db/ltx/9/${name}`);
});

describe('other keys are not parsed as LTX files of this replica', () => {
  test.each([
    ['a deeper folder', `db/0000/sub/${F}`],
    ['level 10', `db/000a/${F}`],
    ['a level of five digits', `db/00001/${F}`],
    ['another replica whose root begins like ours', `db2/0000/${F}`],
    ['another replica below our root', `db/other/0000/${F}`],
    ["0.3's generations", 'db/generations/0123456789abcdef/wal/00000000_00000000.wal.lz4'],
    ['upper case', `db/0000/${F.replace('1.ltx', 'A.ltx')}`],
    ['something after the name', `db/0000/${F}.tmp`],
    ['a TXID of zero', 'db/0000/0000000000000000-0000000000000001.ltx'],
    ['TXIDs in the wrong order', 'db/0000/0000000000000002-0000000000000001.ltx'],
    ['the tree layout', `db/ltx/0/${F}`],
    ['no level', `db/${F}`],
    ['no slash behind the level', `db/0000x${F}`],
  ])('%s', (_what, key) => {
    expect(parseKey('levels', 'db', key)).toBeUndefined();
  });

  test('the levels layout, in a tree', () => {
    expect(parseKey('tree', 'db', `db/0000/${F}`)).toBeUndefined();
  });
});

const layouts = fc.constantFrom<Layout>('levels', 'tree');
const roots = fc.constantFrom('', '.', 'db', 'db/', '/db', 'a/b/c', '/', 'b//c', 'ltx', '0000');
const txids = fc.bigInt({ min: 1n, max: 0xffff_ffff_ffff_ffffn }).map(toTXID);
const files = fc
  .tuple(fc.integer({ min: 0, max: 9 }), txids, txids)
  .map(([level, a, b]) => ({ level, minTXID: a < b ? a : b, maxTXID: a < b ? b : a }));

test('a key is parsed back to its file', () => {
  fc.assert(
    fc.property(layouts, roots, files, (layout, root, file) => {
      const key = keyOf(layout, root, file);
      expect(parseKey(layout, root, key)).toEqual(file);
      expect(key.startsWith(levelPrefix(layout, root, file.level))).toBe(true);
      expect(key.startsWith(allLevelsPrefix(layout, root))).toBe(true);
    }),
  );
});

test('the order of keys is the order of TXIDs, and a listing can start at one', () => {
  fc.assert(
    fc.property(layouts, roots, files, files, (layout, root, a, b) => {
      const other = { ...b, level: a.level };
      const before = a.minTXID < b.minTXID || (a.minTXID === b.minTXID && a.maxTXID < b.maxTXID);
      expect(keyOf(layout, root, a) < keyOf(layout, root, other)).toBe(before);
      const listed = keyOf(layout, root, other) > startAfterKey(layout, root, a.level, a.minTXID);
      expect(listed).toBe(b.minTXID >= a.minTXID);
    }),
  );
});

test('a level outside 0 to 9 has no key', () => {
  expect(() => levelPrefix('tree', 'db', 10)).toThrow('level 10');
  expect(() => levelPrefix('levels', 'db', -1)).toThrow('level -1');
});

describe('named objects', () => {
  test('have the same keys as in Litestream, for every root', () => {
    expect(['', '.', 'db', 'db/', '/db'].map((root) => objectKey(root, 'lock.json'))).toEqual([
      'lock.json',
      'lock.json',
      'db/lock.json',
      'db/lock.json',
      '/db/lock.json',
    ]);
  });

  test('a key is parsed back to its name', () => {
    fc.assert(
      fc.property(
        roots,
        fc.stringMatching(/^[a-z0-9_-]{1,8}(\/[a-z0-9_.-]{1,8}x){0,3}$/),
        (root, name) => {
          fc.pre(!/^(000\d|ltx)\//.test(name));
          const key = objectKey(root, name);
          expect(parseObjectKey(root, key)).toBe(name);
          expect(key.startsWith(objectPrefix(root, name.slice(0, 3)))).toBe(true);
        },
      ),
    );
  });

  test.each([
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    '.',
    '..',
    'a/../b',
    './a',
    'A',
    'ä',
    'a b',
    'a\\b',
    'a\n',
    'x'.repeat(513),
    `0000/${F}`,
    `ltx/0/${F}`,
    '0009/sub/x',
    'ltx/x',
  ])('a name like %j is refused', (name) => {
    expect(() => objectKey('db', name)).toThrow(
      expect.objectContaining({ code: 'REPLICA_UNSUPPORTED' }),
    );
  });

  test('LTX files and other replicas are not parsed as named objects', () => {
    expect(parseObjectKey('db', `db/0000/${F}`)).toBeUndefined();
    expect(parseObjectKey('db', `db/ltx/0/${F}`)).toBeUndefined();
    expect(parseObjectKey('db', 'db2/lock.json')).toBeUndefined();
  });
});
