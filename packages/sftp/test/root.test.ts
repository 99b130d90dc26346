/** A disk of the server that is not mounted: its folder is there, and empty. */

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

test('is told as that by whoever has looked before, and nothing is made there', async () => {
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
  // Of a level that was never written, no folder is missed.
  await expect(client.writeFile(ref(1, 1), bodyOf('x'))).rejects.toEqual(GONE);
  expect(tree(fake, ROOT)).toEqual([]);
  expect(fs.readdirSync(join(fake.folder, ROOT))).toEqual([]);
});

test('is found out over a new connection too', async () => {
  const fake = await startFakeServer();
  const client = new Replica(await connectTo(fake), ROOT);
  await client.writeFile(ref(0, 1), bodyOf('x'));
  unmount(fake);
  await fake.dropAll();
  await expect(client.writeFile(ref(0, 1), bodyOf('x'))).rejects.toEqual(GONE);
  expect(tree(fake, ROOT)).toEqual([]);
});

test('a level that was removed behind our back is made again, if the root is still ours', async () => {
  const fake = await startFakeServer();
  const client = new Replica(await connectTo(fake), ROOT);
  await client.writeFile(ref(0, 1), bodyOf('x'));
  fs.rmSync(join(fake.folder, ROOT, 'ltx'), { recursive: true });
  await client.writeFile(ref(0, 2), bodyOf('again'));
  expect(await readText(client, ref(0, 2))).toBe('again');
});

test('whoever only reads is refused to write before anything is connected to', async () => {
  const fake = await startFakeServer();
  const reader = await connectTo(fake, { access: 'read' });
  const refused = expect.objectContaining({ code: 'REPLICA_PERMISSION_DENIED' });
  await expect(new Replica(reader, ROOT).writeFile(ref(0, 1), bodyOf('x'))).rejects.toEqual(
    refused,
  );
  expect(fake.connections).toBe(0);
});

test('files are their owner’s alone, with the time of their transaction', async () => {
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

test('a folder that nobody may make is one error, not an endless search for what is missing', async () => {
  const fake = await startFakeServer();
  const client = new Replica(await connectTo(fake), 'a/b');
  // "No such file", though what is above it is there: some file systems say so.
  fake.judge = ({ kind }) => (kind === 'MKDIR' ? 2 : undefined);
  await expect(client.writeFile(ref(0, 1), bodyOf('x'))).rejects.toThrow(/write a\/b\/ltx\/0/);
  expect(fake.requests.filter(({ kind }) => kind === 'MKDIR').length).toBeLessThan(10);
});
