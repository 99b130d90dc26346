/** Deleting the last file of a replica removes its folders. */

import { Replica } from '@sluice/core/backend/testing';
import type { ReplicaClient } from '@sluice/core/backend';
import fs from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { plant, startFakeServer, type FakeServer } from './fake-server.ts';
import { bodyOf, connectTo, ref, ROOT } from './fixtures.ts';

const FILES = [ref(0, 1), ref(9, 1, 4)];

async function written(destination: ReplicaClient): Promise<void> {
  for (const file of FILES) await new Replica(destination, ROOT).writeFile(file, bodyOf('x'));
}

/** All names, including folders. */
function namesOf(fake: FakeServer): string[] {
  return fs.readdirSync(join(fake.folder, ROOT), { recursive: true, encoding: 'utf8' }).sort();
}

test('deleting the last file removes the folders and the marker', async () => {
  const fake = await startFakeServer();
  const destination = await connectTo(fake);
  await written(destination);
  await new Replica(destination, ROOT).deleteFiles(FILES);
  expect(fs.existsSync(join(fake.folder, 'backups'))).toBe(false); // the client had created it too
  await new Replica(destination, ROOT).deleteFiles(FILES);
  await written(destination); // the replica can start again
  expect(namesOf(fake)).toContain('.sluice-root');
});

test('a folder with a file stays, with its parents', async () => {
  const fake = await startFakeServer();
  const destination = await connectTo(fake);
  await written(destination);
  await new Replica(destination, ROOT).deleteFiles(FILES.slice(1));
  const folders = namesOf(fake).filter((name) => !name.endsWith('.ltx'));
  expect(folders).toEqual(['.sluice-root', 'ltx', 'ltx/0']);
});

test.each([4, 18])('the answer %d for a folder that is not empty is not an error', async (code) => {
  const fake = await startFakeServer();
  const destination = await connectTo(fake);
  await written(destination);
  fake.intercept = ({ kind, path }) =>
    kind === 'RMDIR' && /ltx$|0\/$/.test(path) ? code : undefined;
  await new Replica(destination, ROOT).deleteFiles(FILES.slice(1));
  expect(namesOf(fake)).toContain('ltx/0');
});

test.each([
  [4, 'REPLICA_UNKNOWN'],
  [3, 'REPLICA_PERMISSION_DENIED'],
] as const)('the answer %d for an empty folder is an error', async (status, code) => {
  const fake = await startFakeServer();
  const destination = await connectTo(fake);
  await written(destination);
  fake.intercept = ({ kind }) => (kind === 'RMDIR' ? status : undefined);
  const message = expect.stringContaining('delete 2 files at sftp://') as string;
  const failure = expect.objectContaining({ code, message });
  await expect(new Replica(destination, ROOT).deleteFiles(FILES)).rejects.toEqual(failure);
  expect(namesOf(fake)).toContain('.sluice-root');
  fake.intercept = () => undefined;
  await written(destination); // the replica can continue
  await new Replica(destination, ROOT).deleteFiles(FILES);
  expect(fs.existsSync(join(fake.folder, ROOT))).toBe(false);
});

test('a file of another program stays, and the marker with it', async () => {
  const fake = await startFakeServer();
  const destination = await connectTo(fake);
  await written(destination);
  plant(fake, join(ROOT, 'notes.txt'), 'mine');
  await new Replica(destination, ROOT).deleteFiles(FILES);
  expect(namesOf(fake)).toEqual(['.sluice-root', 'notes.txt']);
});

test('a client that created no folder removes none', async () => {
  const fake = await startFakeServer();
  await written(await connectTo(fake));
  await new Replica(await connectTo(fake), ROOT).deleteFiles(FILES);
  expect(namesOf(fake)).toEqual(['.sluice-root', 'ltx', 'ltx/0', 'ltx/9']);
});

test('removing a replica does not list all of a parent that many replicas share', async () => {
  const fake = await startFakeServer();
  const destination = await connectTo(fake);
  await written(destination); // creates the parent
  for (let other = 0; other < 90; other++) plant(fake, `/backups/other-${other}/notes.txt`, 'x');
  const pages: string[] = [];
  fake.intercept = ({ kind, path }) => {
    if (kind === 'READDIR') pages.push(path);
    return undefined;
  };
  await new Replica(destination, ROOT).deleteFiles(FILES);
  expect(fs.existsSync(join(fake.folder, ROOT))).toBe(false);
  expect(pages.filter((path) => path === '/backups')).toHaveLength(1); // 3 names of 90
});
