import { expect, test } from 'vitest';
import { makeFolder } from '../src/folders.ts';

test('a folder that nobody may make is one error, not an endless search for what is missing', async () => {
  // Linux says ENOENT of it, though its parent is there; elsewhere there is no such parent to write to.
  await expect(makeFolder('/proc/sluice/replica')).rejects.toThrow(/mkdir '\/proc/);
});
