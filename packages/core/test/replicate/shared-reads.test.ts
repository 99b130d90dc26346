import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemFiles, type FileSystem } from '../../src/file-system.ts';
import { SHARED_BYTES_MAX, SharedReads } from '../../src/replicate/destination/bodies.ts';

let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-shared-reads-'));
});

afterEach(() => fs.rmSync(folder, { recursive: true }));

function staged(text: string): { path: string; sizeBytes: number; timestampMs: number } {
  const file = path.join(folder, 'file.ltx');
  fs.writeFileSync(file, text);
  return { path: file, sizeBytes: text.length, timestampMs: 1 };
}

test('a file in use by several destinations is read once', async () => {
  const reads = new SharedReads(systemFiles);
  const source = staged('first');
  const [one, other] = await Promise.all([reads.read(source), reads.read(source)]);
  expect(one?.bytes.toString()).toBe('first');
  expect(other?.bytes).toBe(one?.bytes);
  one?.[Symbol.dispose]();
  expect((await reads.read(source))?.bytes).toBe(other?.bytes);
});

test('a file that is no longer in use is read again', async () => {
  const reads = new SharedReads(systemFiles);
  (await reads.read(staged('first')))?.[Symbol.dispose]();
  expect((await reads.read(staged('other')))?.bytes.toString()).toBe('other');
});

test('a file that is staged again under the same name is read again', async () => {
  const reads = new SharedReads(systemFiles);
  const before = await reads.read(staged('first'));
  const after = await reads.read({ ...staged('other'), timestampMs: 2 });
  expect([before?.bytes.toString(), after?.bytes.toString()]).toEqual(['first', 'other']);
});

test('a large file is not kept in memory, and a truncated or missing file is an error', async () => {
  const reads = new SharedReads(systemFiles);
  const large = {
    path: path.join(folder, 'none'),
    sizeBytes: SHARED_BYTES_MAX + 1,
    timestampMs: 1,
  };
  expect(await reads.read(large)).toBeUndefined();
  const longer = { ...staged('first'), sizeBytes: 6 };
  await expect(reads.read(longer)).rejects.toMatchObject({ code: 'STAGING_FAILED' });
  await expect(reads.read({ ...longer, path: large.path })).rejects.toMatchObject({
    code: 'ENOENT',
  });
  fs.writeFileSync(longer.path, 'longer');
  expect((await reads.read(longer))?.bytes.toString()).toBe('longer');
});

test.for(['open', 'read'])(
  'a volume that fails at %s is blamed, and not the destination',
  async (at) => {
    const broken = Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
    const files: FileSystem = {
      ...systemFiles,
      async open(file) {
        if (at === 'open') throw broken;
        const handle = await systemFiles.open(file);
        return { ...handle, readFully: () => Promise.reject(broken) };
      },
    };
    const source = staged('first');
    await expect(new SharedReads(files).read(source)).rejects.toMatchObject({
      code: 'STAGING_FAILED',
      message: expect.stringMatching(`read the staged file ${source.path}: EIO.*; check`) as string,
    });
  },
);
