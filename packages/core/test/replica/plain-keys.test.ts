/** Keys that every server keeps unchanged. */

import { expect, test } from 'vitest';
import { hasPlainKeys, plainRoot } from '../../src/replica/plain-keys.ts';

test.each([
  ['levels', 'db', true],
  ['levels', 'a b/ü/c', true],
  ['levels', '', false], // /0000/F
  ['levels', '.', false], // ./0000/F
  ['levels', 'db/', false],
  ['levels', '/db', false],
  ['levels', 'a//b', false],
  ['levels', '../a', false],
  ['levels', String.raw`a\b`, false],
  ['tree', '', true], // ltx/0/F
  ['tree', 'db/', true],
  ['tree', 'a//b', true],
  ['tree', '/db', false],
  ['tree', '../db', false],
] as const)('%s: the keys of %j are plain: %s', (layout, root, expected) => {
  expect(hasPlainKeys(layout, root)).toBe(expected);
});

test.each([
  ['db/', 'db'],
  ['/db', 'db'],
  ['a//b/./c', 'a/b/c'],
  ['a/../b', 'b'],
  [String.raw`a\b`, 'a/b'],
  ['', undefined],
  ['.', undefined],
  ['/', undefined],
  ['..', undefined],
])('the plain root of %j is %j', (root, expected) => {
  expect(plainRoot(root)).toBe(expected);
});
