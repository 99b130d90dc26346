import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Flusher } from '../../src/restore/flusher.ts';
import { temporaryFolder } from './temporary.ts';

const MIB = 1024 * 1024;

/** A descriptor whose fsync fails. */
function closedDescriptor(): number {
  const descriptor = fs.openSync(path.join(temporaryFolder(), 'out'), 'w');
  fs.closeSync(descriptor);
  return descriptor;
}

test('a flush that fails while a restore runs fails the restore', async () => {
  const flusher = new Flusher(closedDescriptor());
  for (let added = 0; added < 128; added++) flusher.add(MIB);
  await expect(flusher.finish()).rejects.toMatchObject({
    code: 'RESTORE_OUTPUT',
    message: expect.stringContaining('fsync the restored file') as string,
  });
  await flusher.close();
});

test('a small restore is not flushed on the way', async () => {
  const flusher = new Flusher(closedDescriptor());
  for (let added = 0; added < 127; added++) flusher.add(MIB);
  await expect(flusher.finish()).resolves.toBeUndefined();
});
