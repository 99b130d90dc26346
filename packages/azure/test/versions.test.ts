import { expect, test } from 'vitest';
import { versionOf } from '../src/container.ts';

test('a version is the same in a header, with quotes, and in a listing, without', () => {
  expect(versionOf('0x8DCAFE')).toBe('"0x8DCAFE"');
  expect(versionOf('"0x8DCAFE"')).toBe(versionOf('0x8DCAFE'));
});
