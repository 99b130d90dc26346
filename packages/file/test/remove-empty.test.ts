import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Replica, bodyFromBytes, type ReplicaClient } from '@sluice/core/backend';
import { expect, test } from 'vitest';

import { openFolder, ref, tree } from './fixtures.ts';

const body = bodyFromBytes(Buffer.from('an LTX file'), new Date(0));
const FILES = [ref(0, 1), ref(9, 1, 4)];

async function written(destination: ReplicaClient, root: string): Promise<void> {
  for (const file of FILES) await new Replica(destination, root).writeFile(file, body);
}

test('a replica without files is gone with its folders and its marker', async () => {
  const { root, connect } = await openFolder();
  const destination = await connect();
  await written(destination, root);
  await new Replica(destination, root).deleteFiles(FILES);
  await destination.removeEmpty?.(root);
  await expect(stat(root)).rejects.toThrow('ENOENT');
  expect((await stat(join(root, '..'))).isDirectory()).toBe(true);
  await destination.removeEmpty?.(root); // a second time is no failure
  await written(destination, root); // and it can be begun anew
  expect(await tree(root)).toContain('.sluice-root');
});

test('what holds a file stays, with all that is above it', async () => {
  const { root, connect } = await openFolder();
  const destination = await connect();
  await written(destination, root);
  await new Replica(destination, root).deleteFiles(FILES.slice(1));
  await destination.removeEmpty?.(root);
  expect((await tree(root)).filter((name) => !name.endsWith('.ltx'))).toEqual([
    '.sluice-root',
    'ltx',
    'ltx/0',
  ]);
});

test('what is not ours stays, and the marker with it', async () => {
  const { root, connect } = await openFolder();
  const destination = await connect();
  await written(destination, root);
  await new Replica(destination, root).deleteFiles(FILES);
  await writeFile(join(root, 'notes.txt'), 'mine');
  await destination.removeEmpty?.(root);
  expect(await tree(root)).toEqual(['.sluice-root', 'notes.txt']);
});

test('a marker that we have never seen stays: somebody has just begun there', async () => {
  const { root, connect } = await openFolder();
  const destination = await connect();
  await mkdir(root, { recursive: true });
  await writeFile(join(root, '.sluice-root'), 'theirs\n');
  await destination.removeEmpty?.(root);
  expect(await tree(root)).toEqual(['.sluice-root']);
});

test('whoever only reads cannot', async () => {
  const { connect } = await openFolder();
  expect(await connect('read')).not.toHaveProperty('removeEmpty');
});
