/** The server's disk is not mounted: the folder exists, but is empty. */

import { Replica } from '@sluice/core/backend/testing';
import fs from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { startFakeServer, tree, type FakeServer } from './fake-server.ts';
import { bodyOf, connectTo, readText, ref, ROOT } from './fixtures.ts';

const GONE = expect.objectContaining({ code: 'REPLICA_DESTINATION_NOT_FOUND' });

function unmount(fake: FakeServer): void {
  fs.renameSync(join(fake.folder, ROOT), join(fake.folder, 'unmounted'));
  fs.mkdirSync(join(fake.folder, ROOT));
}

async function list(client: Replica): Promise<number> {
  return (await Array.fromAsync(client.listFiles('all'))).length;
}

test('is an error for a client that has seen the disk, and nothing is created there', async () => {
  const fake = await startFakeServer();
  const client = new Replica(await connectTo(fake), ROOT);
  expect(await list(client)).toBe(0);
  await client.writeFile(ref(0, 1), bodyOf('x'));
  expect(await list(client)).toBe(1);
  const reader = new Replica(await connectTo(fake, { access: 'read' }), ROOT);
  expect(await list(reader)).toBe(1);
  unmount(fake);
  for (const each of [client, reader]) {
    await expect(list(each)).rejects.toEqual(GONE);
    await expect(each.openFile(ref(0, 1))).rejects.toEqual(GONE);
    await expect(each.deleteFiles([ref(0, 1)])).rejects.toEqual(GONE);
  }
  await expect(client.writeFile(ref(0, 2), bodyOf('x'))).rejects.toEqual(GONE);
  // A level that was never written has no folder that could be missing.
  await expect(client.writeFile(ref(1, 1), bodyOf('x'))).rejects.toEqual(GONE);
  expect(tree(fake, ROOT)).toEqual([]);
  expect(fs.readdirSync(join(fake.folder, ROOT))).toEqual([]);
});

test('is an error over a new connection too', async () => {
  const fake = await startFakeServer();
  const client = new Replica(await connectTo(fake), ROOT);
  await client.writeFile(ref(0, 1), bodyOf('x'));
  unmount(fake);
  await fake.dropAll();
  await expect(client.writeFile(ref(0, 1), bodyOf('x'))).rejects.toEqual(GONE);
  expect(tree(fake, ROOT)).toEqual([]);
});

test('the folder of a level that was removed is created again if the root is unchanged', async () => {
  const fake = await startFakeServer();
  const client = new Replica(await connectTo(fake), ROOT);
  await client.writeFile(ref(0, 1), bodyOf('x'));
  fs.rmSync(join(fake.folder, ROOT, 'ltx'), { recursive: true });
  await client.writeFile(ref(0, 2), bodyOf('again'));
  expect(await readText(client, ref(0, 2))).toBe('again');
});

test('a write by a reader is refused without connecting', async () => {
  const fake = await startFakeServer();
  const reader = await connectTo(fake, { access: 'read' });
  const refused = expect.objectContaining({ code: 'REPLICA_PERMISSION_DENIED' });
  await expect(new Replica(reader, ROOT).writeFile(ref(0, 1), bodyOf('x'))).rejects.toEqual(
    refused,
  );
  expect(fake.connections).toBe(0);
});

test('files are readable by their owner only, and have the transaction’s time', async () => {
  const fake = await startFakeServer();
  const client = new Replica(await connectTo(fake), ROOT);
  await client.writeFile(ref(0, 1), bodyOf('x'));
  const file = join(fake.folder, ROOT, 'ltx/0/0000000000000001-0000000000000001.ltx');
  const { mtimeMs, atimeMs } = fs.statSync(file);
  expect(new Date(mtimeMs).toISOString()).toBe('2023-11-14T22:13:20.000Z');
  expect(Math.abs(atimeMs - Date.now())).toBeLessThan(60_000);
  expect(fake.modes).toContain(0o600);
  expect(fake.modes.every((mode) => mode === 0o600)).toBe(true);
});

test('a folder that cannot be created is one error, not an endless search for its parents', async () => {
  const fake = await startFakeServer();
  const client = new Replica(await connectTo(fake), 'a/b');
  // Some file systems answer "no such file" although the parent exists.
  fake.intercept = ({ kind }) => (kind === 'MKDIR' ? 2 : undefined);
  await expect(client.writeFile(ref(0, 1), bodyOf('x'))).rejects.toThrow(/write a\/b\/ltx\/0/);
  expect(fake.requests.filter(({ kind }) => kind === 'MKDIR').length).toBeLessThan(10);
});
