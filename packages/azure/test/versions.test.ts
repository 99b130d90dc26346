import { expect, test } from 'vitest';
import { versionOf } from '../src/container.ts';

test('an ETag with quotes (header) and without (listing) is the same version', () => {
  expect(versionOf('0x8DCAFE')).toBe('"0x8DCAFE"');
  expect(versionOf('"0x8DCAFE"')).toBe(versionOf('0x8DCAFE'));
});
