/** What a replica without files leaves on a server: nothing, once it is asked for. */

import fs from 'node:fs';
import { join } from 'node:path';

import { Replica, type ReplicaClient } from '@sluice/core/backend';
import { expect, test } from 'vitest';

import { plant, startFakeServer, type FakeServer } from './fake-server.ts';
import { bodyOf, connectTo, ref, ROOT } from './fixtures.ts';

const FILES = [ref(0, 1), ref(9, 1, 4)];

async function written(destination: ReplicaClient): Promise<void> {
  for (const file of FILES) await new Replica(destination, ROOT).writeFile(file, bodyOf('x'));
}

/** Folders too. */
function namesOf(fake: FakeServer): string[] {
  return fs.readdirSync(join(fake.folder, ROOT), { recursive: true, encoding: 'utf8' }).sort();
}

test('a replica without files is gone with its folders and its marker', async () => {
  const fake = await startFakeServer();
  const destination = await connectTo(fake);
  await written(destination);
  await new Replica(destination, ROOT).deleteFiles(FILES);
  await destination.removeEmpty?.(ROOT);
  expect(fs.readdirSync(join(fake.folder, 'backups'))).toEqual([]);
  await destination.removeEmpty?.(ROOT); // a second time is no failure
  await written(destination); // and it can be begun anew
  expect(namesOf(fake)).toContain('.sluice-root');
});

test('what holds a file stays, with all that is above it', async () => {
  const fake = await startFakeServer();
  const destination = await connectTo(fake);
  await written(destination);
  await new Replica(destination, ROOT).deleteFiles(FILES.slice(1));
  await destination.removeEmpty?.(ROOT);
  const folders = namesOf(fake).filter((name) => !name.endsWith('.ltx'));
  expect(folders).toEqual(['.sluice-root', 'ltx', 'ltx/0']);
});

test.each([4, 18])(
  'a server that says %d of a folder that is not empty is understood',
  async (code) => {
    const fake = await startFakeServer();
    const destination = await connectTo(fake);
    await written(destination);
    fake.judge = ({ kind, path }) =>
      kind === 'RMDIR' && /ltx$|0\/$/.test(path) ? code : undefined;
    await new Replica(destination, ROOT).deleteFiles(FILES.slice(1));
    await destination.removeEmpty?.(ROOT);
    expect(namesOf(fake)).toContain('ltx/0');
  },
);

test('an empty folder that cannot be removed is a failure, and so is a server that refuses', async () => {
  const fake = await startFakeServer();
  const destination = await connectTo(fake);
  await written(destination);
  await new Replica(destination, ROOT).deleteFiles(FILES);
  for (const [status, code] of [
    [4, 'REPLICA_UNKNOWN'],
    [3, 'REPLICA_PERMISSION_DENIED'],
  ] as const) {
    fake.judge = ({ kind }) => (kind === 'RMDIR' ? status : undefined);
    const message = expect.stringContaining(`remove empty folders at sftp://`);
    const failure = expect.objectContaining({ code, message });
    await expect(destination.removeEmpty?.(ROOT)).rejects.toEqual(failure);
  }
  expect(namesOf(fake)).toContain('.sluice-root');
  fake.judge = () => undefined;
  await destination.removeEmpty?.(ROOT); // the marker is known still
  expect(fs.existsSync(join(fake.folder, ROOT))).toBe(false);
});

test('what is not ours stays, and the marker with it', async () => {
  const fake = await startFakeServer();
  const destination = await connectTo(fake);
  await written(destination);
  await new Replica(destination, ROOT).deleteFiles(FILES);
  plant(fake, join(ROOT, 'notes.txt'), 'mine');
  await destination.removeEmpty?.(ROOT);
  expect(namesOf(fake)).toEqual(['.sluice-root', 'notes.txt']);
});

test('a marker that we have never seen stays: somebody has just begun there', async () => {
  const fake = await startFakeServer();
  const destination = await connectTo(fake);
  plant(fake, join(ROOT, '.sluice-root'), 'theirs\n');
  await destination.removeEmpty?.(ROOT);
  expect(namesOf(fake)).toEqual(['.sluice-root']);
});

test('whoever only reads cannot', async () => {
  const fake = await startFakeServer();
  expect(await connectTo(fake, { access: 'read' })).not.toHaveProperty('removeEmpty');
});
