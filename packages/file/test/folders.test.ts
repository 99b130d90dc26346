import { expect, test } from 'vitest';
import { makeFolder } from '../src/files.ts';

test('a folder that cannot be created is one error, not an endless search for its parents', async () => {
  // Linux returns ENOENT although the parent exists; on other systems the parent is missing.
  await expect(makeFolder('/proc/sluice/replica')).rejects.toThrow(/mkdir '\/proc/);
});
