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

test('deleting the last file of a replica removes the folders and the marker that it created', async () => {
  const { root, replica } = await openFolder();
  const writer = await replica();
  await writeAll(writer);
  await writer.deleteFiles(FILES);
  await expect(stat(dirname(root))).rejects.toThrow('ENOENT'); // the client had created it too
  expect((await stat(dirname(dirname(root)))).isDirectory()).toBe(true);
  await writer.deleteFiles(FILES);
  await writeAll(writer); // it can start again
  expect(await tree(root)).toContain('.sluice-root');
});

test('a folder that someone else created stays, with the marker in it', async () => {
  const { root, replica } = await openFolder();
  await mkdir(root, { recursive: true });
  const writer = await replica();
  await writeAll(writer);
  await writer.deleteFiles(FILES);
  expect(await tree(root)).toEqual(['.sluice-root']);
});

test('a folder with a file stays, with its parents', async () => {
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

test('a file of another program stays, and the marker with it', async () => {
  const { root, replica } = await openFolder();
  const writer = await replica();
  await writeAll(writer);
  await writeFile(join(root, 'notes.txt'), 'mine');
  await writer.deleteFiles(FILES);
  expect(await tree(root)).toEqual(['.sluice-root', 'notes.txt']);
});

test('a client that created no folder removes none', async () => {
  const { root, connect, replica } = await openFolder();
  await writeAll(await replica());
  await new Replica(await connect(), root).deleteFiles(FILES);
  expect(await tree(root)).toEqual(['.sluice-root', 'ltx', 'ltx/0', 'ltx/9']);
});

test('a failed write removes the folders that it created', async () => {
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

test('a disk that is unmounted during a deletion is still an error for later writes', async () => {
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
