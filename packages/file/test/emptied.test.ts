import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { bodyFromBytes } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { expect, test } from 'vitest';

import { openFolder, ref, tree } from './fixtures.ts';

const body = bodyFromBytes(Buffer.from('an LTX file'), new Date(0));
const FILES = [ref(0, 1), ref(9, 1, 4)];

async function writeAll(replica: Replica): Promise<void> {
  for (const file of FILES) await replica.writeFile(file, body);
}

test('with its last file a replica is gone, with the folders and the marker that it made', async () => {
  const { root, replica } = await openFolder();
  const writer = await replica();
  await writeAll(writer);
  await writer.deleteFiles(FILES);
  await expect(stat(dirname(root))).rejects.toThrow('ENOENT'); // it made that one too
  expect((await stat(dirname(dirname(root)))).isDirectory()).toBe(true);
  await writer.deleteFiles(FILES);
  await writeAll(writer); // it can begin anew
  expect(await tree(root)).toContain('.sluice-root');
});

test('a folder that somebody else made stays, and the marker in it', async () => {
  const { root, replica } = await openFolder();
  await mkdir(root, { recursive: true });
  const writer = await replica();
  await writeAll(writer);
  await writer.deleteFiles(FILES);
  expect(await tree(root)).toEqual(['.sluice-root']);
});

test('what holds a file stays, with all that is above it', async () => {
  const { root, replica } = await openFolder();
  const writer = await replica();
  await writeAll(writer);
  await writer.deleteFiles(FILES.slice(1));
  expect((await tree(root)).filter((name) => !name.endsWith('.ltx'))).toEqual([
    '.sluice-root',
    'ltx',
    'ltx/0',
  ]);
});

test('what is not ours stays, and the marker with it', async () => {
  const { root, replica } = await openFolder();
  const writer = await replica();
  await writeAll(writer);
  await writeFile(join(root, 'notes.txt'), 'mine');
  await writer.deleteFiles(FILES);
  expect(await tree(root)).toEqual(['.sluice-root', 'notes.txt']);
});

test('a client that made no folder removes none', async () => {
  const { root, connect, replica } = await openFolder();
  await writeAll(await replica());
  await new Replica(await connect(), root).deleteFiles(FILES);
  expect(await tree(root)).toEqual(['.sluice-root', 'ltx', 'ltx/0', 'ltx/9']);
});

test('a write that fails removes the folders that it made', async () => {
  const { root, replica } = await openFolder();
  const failing = {
    ...body,
    async *open() {
      yield await Promise.reject(new Error('the source fails'));
    },
  };
  await expect((await replica()).writeFile(ref(0, 1), failing)).rejects.toThrow('the source fails');
  await expect(stat(dirname(root))).rejects.toThrow('ENOENT');
});

test('a disk that is gone when a file is deleted keeps its marker in mind', async () => {
  const { root, replica } = await openFolder();
  const writer = await replica();
  await writer.objects.put('lock.json', Buffer.from('x'));
  await rename(root, `${root}-elsewhere`);
  await mkdir(root);
  const gone = expect.objectContaining({ code: 'REPLICA_DESTINATION_NOT_FOUND' });
  await expect(writer.objects.delete('lock.json')).rejects.toEqual(gone);
  await expect(writer.writeFile(ref(0, 1), body)).rejects.toEqual(gone);
  expect(await tree(root)).toEqual([]);
});
