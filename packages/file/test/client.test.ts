import { readSync } from 'node:fs';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

import { bodyFromBytes, parseConfig } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { backend } from '../src/index.ts';
import { openFolder, ref, tree } from './fixtures.ts';

const body = bodyFromBytes(Buffer.from('an LTX file'), new Date(0));
const golden = fileURLToPath(new URL('../../../test/fixtures/golden', import.meta.url));
type OpenLocalFile = NonNullable<Replica['openLocalFile']>;
const DAY_MS = 24 * 60 * 60 * 1000;

afterEach(() => {
  vi.useRealTimers();
});

describe('a temporary file of an interrupted write', () => {
  async function leftover(): Promise<Awaited<ReturnType<typeof openFolder>>> {
    const opened = await openFolder();
    const client = await opened.replica();
    await client.writeFile(ref(0, 1), body);
    const name = '0000000000000002-0000000000000002.ltx';
    await writeFile(join(opened.root, 'ltx/0', `${name}.x.sluice-tmp`), 'half');
    await writeFile(join(opened.root, 'ltx/0', `${name}.tmp`), "Litestream's");
    await writeFile(join(opened.root, 'lock.json.x.sluice-tmp'), 'half');
    return opened;
  }

  async function temps(root: string): Promise<string[]> {
    return (await tree(root)).filter((name) => name.endsWith('tmp'));
  }

  test('is kept for a day, because its writer may still run', async () => {
    const { root, replica } = await leftover();
    await Array.fromAsync((await replica()).listFiles('all'));
    expect(await temps(root)).toHaveLength(3);
  });

  test('is removed and logged after a day; files of other programs are not', async () => {
    const { root, connect, logged } = await leftover();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + DAY_MS + 60_000 });
    const destination = await connect();
    expect(await Array.fromAsync(new Replica(destination, root).listFiles('all'))).toHaveLength(1);
    expect(await Array.fromAsync(new Replica(destination, root).objects.list('') ?? [])).toEqual(
      [],
    );
    expect(await temps(root)).toEqual(['ltx/0/0000000000000002-0000000000000002.ltx.tmp']);
    expect(logged).toEqual(
      Array.from({ length: 2 }, () => 'removed a temporary file of an interrupted write'),
    );
  });

  test('is not removed by a reader', async () => {
    const { root, connect } = await leftover();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 30 * DAY_MS });
    const destination = await connect('read');
    const before = await tree(root);
    await Array.fromAsync(new Replica(destination, root).listFiles('all'));
    await Array.fromAsync(new Replica(destination, root).objects.list('') ?? []);
    expect(await tree(root)).toEqual(before);
  });
});

describe("Litestream's own folders", () => {
  test('of 0.5 are listed completely, and reading does not change them', async () => {
    const root = join(golden, 'block-4k', 'bucket');
    const context = { access: 'read', logger: console } as const;
    const destination = await backend.connect(parseConfig(backend, { path: root }).config, context);
    const before = await tree(root);
    const files = await Array.fromAsync(new Replica(destination, root).listFiles('all'));
    const names = before.filter((name) => name.endsWith('.ltx'));
    expect(files).toHaveLength(names.length);
    expect(new Set(files.map((file) => file.level))).toContain(9);
    expect(await tree(root)).toEqual(before);
    await destination.close();
  });

  test('of 0.3 are read as named objects', async () => {
    const root = join(golden, 'v03-4k', 'bucket');
    const context = { access: 'read', logger: console } as const;
    const destination = await backend.connect(parseConfig(backend, { path: root }).config, context);
    const objects = await Array.fromAsync(
      new Replica(destination, root).objects.list('generations/'),
    );
    const names = await readdir(join(root, 'generations'), { recursive: true });
    const expected = names
      .filter((name) => name.endsWith('.lz4'))
      .map((name) => `generations/${name}`);
    expect(objects.map((object) => object.name)).toEqual(expected.toSorted());
    expect(objects.some((object) => object.name.includes('.snapshot.lz4'))).toBe(true);
    await destination.close();
  });
});

describe('unusual entries in a folder', () => {
  test('links, folders named like a file and cycles are not listed as files', async () => {
    const { root, replica, connect } = await openFolder();
    const client = await replica();
    await client.writeFile(ref(0, 1), body);
    await mkdir(join(root, 'ltx/0/0000000000000002-0000000000000002.ltx'));
    await symlink('..', join(root, 'up'));
    await symlink('/etc/passwd', join(root, 'ltx/0/0000000000000003-0000000000000003.lt'));
    const files = await Array.fromAsync(client.listFiles(0));
    expect(files.map((file) => file.minTXID)).toEqual([1n]);
    const objects = new Replica(await connect(), root).objects;
    expect(await Array.fromAsync(objects?.list('') ?? [])).toEqual([]);
  });

  test('a name cannot lead out of the root', async () => {
    const { root, connect } = await openFolder();
    const objects = new Replica(await connect(), root).objects;
    const refused = expect.objectContaining({ code: 'REPLICA_UNSUPPORTED' });
    for (const name of [
      '../x',
      'a/../../x',
      '/etc/passwd',
      '.sluice-root',
      'a.sluice-tmp',
      'a\0b',
    ]) {
      await expect(objects?.put(name, Buffer.from('x'))).rejects.toEqual(refused);
      await expect(objects?.get(name)).rejects.toEqual(refused);
      await expect(objects?.delete(name)).rejects.toEqual(refused);
    }
    expect(await tree(join(root, '..', '..'))).toEqual([]);
  });
});

describe('no file handle leaks', () => {
  const handles = async (): Promise<number> => (await readdir('/proc/self/fd')).length;

  test('if a read is refused', async () => {
    const client = await (await openFolder()).replica();
    await client.writeFile(ref(0, 1), body);
    const before = await handles();
    const changed = client.openFile(ref(0, 1), { version: 'another' });
    await expect(changed).rejects.toMatchObject({ code: 'REPLICA_CHANGED' });
    const beyond = client.openFile(ref(0, 1), { range: { start: 100 } });
    await expect(beyond).rejects.toMatchObject({ code: 'REPLICA_RANGE' });
    expect(await handles()).toBe(before);
  });

  test('if an opened file is never read, and then aborted or closed', async () => {
    const { root, connect } = await openFolder();
    const destination = await connect();
    const client = new Replica(destination, root);
    await client.writeFile(ref(0, 1), body);
    const before = await handles();
    const controller = new AbortController();
    await client.openFile(ref(0, 1), { signal: controller.signal });
    await client.openFile(ref(0, 1));
    expect(await handles()).toBe(before + 2);
    controller.abort(new Error('not wanted'));
    await vi.waitFor(async () => expect(await handles()).toBe(before + 1));
    await destination.close();
    expect(await handles()).toBe(before);
  });

  test('if the file is opened after the call was aborted', async () => {
    const { root, connect } = await openFolder();
    const destination = await connect();
    const client = new Replica(destination, root);
    await client.writeFile(ref(0, 1), body);
    const before = await handles();
    const controller = new AbortController();
    const options = { signal: controller.signal };
    const streamed = client.openFile(ref(0, 1), options);
    const local = client.openLocalFile?.(ref(0, 1), options);
    controller.abort(new Error('enough'));
    await Promise.all([
      expect(streamed).rejects.toThrow('enough'),
      expect(local).rejects.toThrow('enough'),
    ]);
    await destination.close(); // waits for the aborted calls
    expect(await handles()).toBe(before);
  });
});

test('failed deletions are reported by file, after all were attempted', async () => {
  const { root, replica } = await openFolder();
  const client = await replica();
  for (const txid of [1, 3]) await client.writeFile(ref(0, txid), body);
  await mkdir(join(root, 'ltx/0/0000000000000002-0000000000000002.ltx/x'), { recursive: true });
  const failed = client.deleteFiles([ref(0, 1), ref(0, 2), ref(0, 3)]);
  await expect(failed).rejects.toMatchObject({
    failures: [{ file: client.keyOf(ref(0, 2)) }],
  });
  await expect(failed).rejects.toThrow('delete 3 files');
  expect(await Array.fromAsync(client.listFiles(0))).toEqual([]);
});

describe('a file opened with openLocal', () => {
  async function localFile(): Promise<{ client: Replica; open: OpenLocalFile }> {
    const client = await (await openFolder()).replica();
    const open = client.openLocalFile?.bind(client);
    if (open === undefined) throw new Error('it is claimed');
    return { client, open };
  }

  test('can be read by position, and keeps its bytes when the file is replaced', async () => {
    const { client, open } = await localFile();
    await client.writeFile(ref(0, 1), body);
    const local = await open(ref(0, 1));
    await client.writeFile(ref(0, 1), bodyFromBytes(Buffer.from('other bytes'), new Date(0)));
    const bytes = Buffer.alloc(local.sizeBytes);
    readSync(local.descriptor, bytes, 0, bytes.length, 0);
    await local.close();
    expect(bytes.toString()).toBe('an LTX file');
  });

  test('is REPLICA_NOT_FOUND if it does not exist', async () => {
    const { client, open } = await localFile();
    await client.writeFile(ref(0, 1), body);
    await expect(open(ref(0, 2))).rejects.toMatchObject({ code: 'REPLICA_NOT_FOUND' });
  });

  test('is not opened for an aborted call', async () => {
    const { client, open } = await localFile();
    await client.writeFile(ref(0, 1), body);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(open(ref(0, 1), { signal })).rejects.toThrow('enough');
  });
});

test('a message names the file, and names it once', async () => {
  const { root, connect } = await openFolder();
  await mkdir(root, { recursive: true });
  await writeFile(join(root, 'ltx'), 'a file where a folder should be');
  const client = await connect();
  const keys = [join(root, 'ltx', 'a'), join(root, 'ltx', 'b')] as const;
  const messageOf = async (call: Promise<unknown>): Promise<string> =>
    await call.then(
      () => 'it succeeded',
      (error: unknown) => (error as Error).message,
    );
  const messages = [
    await messageOf(client.get(keys[0], { root })),
    await messageOf(client.put(keys[0], body, { root })),
    await messageOf(client.delete([keys[0]], { root })),
    await messageOf(client.delete(keys, { root })),
  ];
  expect(messages.map((each) => each.slice(0, each.indexOf(': ')))).toEqual([
    `open file://${keys[0]}`,
    `write file://${keys[0]}`,
    `delete file://${keys[0]}`,
    `delete 2 files at file://${root}/ltx`,
  ]);
  for (const each of messages.slice(0, 2)) expect(each.split(root)).toHaveLength(2);
});
