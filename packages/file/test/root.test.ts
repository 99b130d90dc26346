import { Destination } from '@sluice/core';
import { mkdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { bodyFromBytes, isError } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { describe, expect, test } from 'vitest';

import { openFolder, ref, tree } from './fixtures.ts';

const gone = expect.objectContaining({ code: 'REPLICA_DESTINATION_NOT_FOUND' });
const body = bodyFromBytes(Buffer.from('an LTX file'), new Date(0));
const F = '0000000000000001-0000000000000001.ltx';

async function list(client: Replica): Promise<number> {
  return (await Array.fromAsync(client.listFiles('all'))).length;
}

describe('a root that never existed', () => {
  test('is created by the first write, with its parents, and marked', async () => {
    const { root, replica } = await openFolder();
    const client = await replica();
    expect(await list(client)).toBe(0);
    await client.deleteFiles([ref(0, 1)]);
    await expect(stat(root)).rejects.toThrow('ENOENT'); // reading creates nothing
    await client.writeFile(ref(0, 1), body);
    expect(await tree(root)).toEqual(['.sluice-root', 'ltx', 'ltx/0', `ltx/0/${F}`]);
    expect(await readFile(join(root, '.sluice-root'), 'utf8')).toMatch(/^[0-9a-f-]{36}\n$/);
  });

  test('is an error for a reader, which creates nothing', async () => {
    const { root, replica } = await openFolder();
    const client = await replica('read');
    await expect(list(client)).rejects.toEqual(gone);
    await expect(client.openFile(ref(0, 1))).rejects.toEqual(gone);
    await expect(client.deleteFiles([ref(0, 1)])).rejects.toEqual(gone);
    const refused = expect.objectContaining({ code: 'REPLICA_PERMISSION_DENIED' });
    await expect(client.writeFile(ref(0, 1), body)).rejects.toEqual(refused);
    await expect(stat(join(root, '..'))).rejects.toThrow('ENOENT');
  });

  test('is marked once by many concurrent first writes', async () => {
    const { root, connect } = await openFolder();
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect()));
    const writes = clients.flatMap((destination, index) =>
      [1, 2].map((level) => new Replica(destination, root).writeFile(ref(level, index + 1), body)),
    );
    await Promise.all(writes);
    for (const destination of clients) expect(await list(new Replica(destination, root))).toBe(16);
    expect((await tree(root)).filter((name) => name.includes('sluice'))).toEqual(['.sluice-root']);
  });
});

describe('a root is new', () => {
  const isNew = async (replica: Replica): Promise<unknown> =>
    await list(replica).catch((error: unknown) => isError(error) && error.isNew === true);

  test('if it was never created and its parent exists', async () => {
    const { root, replica } = await openFolder();
    const reader = await replica('read');
    expect(await isNew(reader)).toBe(false); // its parent does not exist either
    await mkdir(join(root, '..'));
    expect(await isNew(reader)).toBe(true);
    await mkdir(root);
    expect(await list(reader)).toBe(0);
  });

  test('but not for a client that has seen it', async () => {
    const { root, replica } = await openFolder();
    const writer = await replica();
    await writer.writeFile(ref(0, 1), body);
    const reader = await replica('read');
    expect(await list(reader)).toBe(1);
    await rm(root, { recursive: true });
    expect(await isNew(writer)).toBe(false);
    expect(await isNew(reader)).toBe(false);
    expect(await isNew(await replica('read'))).toBe(true); // it never saw it
  });
});

describe('a root without a marker', () => {
  test("is Litestream's: it can be read, and is marked by the first write", async () => {
    const { root, replica } = await openFolder();
    await mkdir(join(root, 'ltx', '0'), { recursive: true });
    await writeFile(join(root, 'ltx', '0', F), 'x');
    const reader = await replica('read');
    expect(await list(reader)).toBe(1);
    expect(await tree(root)).not.toContain('.sluice-root');
    const writer = await replica();
    expect(await list(writer)).toBe(1);
    expect(await tree(root)).not.toContain('.sluice-root');
    await writer.writeFile(ref(0, 2), body);
    expect(await tree(root)).toContain('.sluice-root');
  });
});

describe('a known root', () => {
  async function known() {
    const opened = await openFolder();
    const client = await opened.replica();
    await client.writeFile(ref(0, 1), body);
    return { ...opened, client };
  }

  async function expectGone(client: Replica): Promise<void> {
    await expect(list(client)).rejects.toEqual(gone);
    await expect(client.writeFile(ref(0, 2), body)).rejects.toEqual(gone);
    await expect(client.openFile(ref(0, 1))).rejects.toEqual(gone);
    await expect(client.deleteFiles([ref(0, 1)])).rejects.toEqual(gone);
  }

  test('that is missing is an error and is not created again', async () => {
    const { root, client } = await known();
    await rename(root, `${root}-elsewhere`);
    await expectGone(client);
    await expect(stat(root)).rejects.toThrow('ENOENT');
    await rename(`${root}-elsewhere`, root);
    expect(await list(client)).toBe(1);
  });

  test('that is empty is an error: an unmounted disk looks like that', async () => {
    const { root, client } = await known();
    await rename(root, `${root}-elsewhere`);
    await mkdir(root);
    await expectGone(client);
    expect(await tree(root)).toEqual([]);
  });

  test('without its marker is an error', async () => {
    const { root, client } = await known();
    await unlink(join(root, '.sluice-root'));
    await expect(list(client)).rejects.toEqual(gone);
    await expect(client.writeFile(ref(0, 2), body)).rejects.toEqual(gone);
  });

  test("with another root's marker is an error", async () => {
    const { root, client } = await known();
    await rename(root, `${root}-elsewhere`);
    await mkdir(join(root, 'ltx', '0'), { recursive: true });
    await writeFile(join(root, '.sluice-root'), 'another\n');
    await expect(list(client)).rejects.toEqual(gone);
    await expect(client.writeFile(ref(0, 2), body)).rejects.toEqual(gone);
    expect(await tree(root)).toEqual(['.sluice-root', 'ltx', 'ltx/0']);
  });

  test('that was moved to another disk is still known', async () => {
    const { root, client } = await known();
    const marker = join(root, '.sluice-root');
    const id = await readFile(marker);
    await rm(marker);
    await writeFile(marker, id); // another inode
    expect(await list(client)).toBe(1);
    await client.writeFile(ref(0, 2), body);
  });

  test('is known to a new connection after its first listing', async () => {
    const { root, replica } = await known();
    const next = await replica();
    expect(await list(next)).toBe(1);
    await rename(root, `${root}-elsewhere`);
    await mkdir(root);
    await expect(list(next)).rejects.toEqual(gone);
  });

  test('that lost the folder of a level gets it back with the next write', async () => {
    const { root, client } = await known();
    await rm(join(root, 'ltx'), { recursive: true });
    expect(await list(client)).toBe(0);
    await client.writeFile(ref(0, 2), body);
    expect(await list(client)).toBe(1);
  });
});

describe('a root to which its caller has written before', () => {
  /** A client that has not seen the root. */
  async function opened() {
    const { root, replica } = await openFolder();
    const client = await replica();
    const listed = async (emptyRoot: 'refuse' | 'accept', by = client): Promise<number> =>
      (await Array.fromAsync(by.listFiles('all', { emptyRoot }))).length;
    return { root, replica, client, listed };
  }

  test('is an error if it is missing or empty, and nothing is created', async () => {
    const { root, listed } = await opened();
    await expect(listed('refuse')).rejects.toEqual(gone);
    await mkdir(root, { recursive: true });
    await expect(listed('refuse')).rejects.toEqual(gone);
    expect(await tree(root)).toEqual([]);
  });

  test('may be empty if its marker is there, and lack the marker if it has files', async () => {
    const { root, replica, listed } = await opened();
    await (await replica()).writeFile(ref(0, 1), body);
    await rm(join(root, 'ltx'), { recursive: true });
    expect(await listed('refuse')).toBe(0);
    const other = await opened();
    await mkdir(join(other.root, 'ltx', '0'), { recursive: true });
    await writeFile(join(other.root, 'ltx', '0', F), 'x');
    expect(await other.listed('refuse')).toBe(1);
  });

  test('begins again if that is accepted, although its marker was known', async () => {
    const { root, client, listed } = await opened();
    await client.writeFile(ref(0, 1), body);
    await rm(root, { recursive: true });
    await expect(listed('refuse')).rejects.toEqual(gone);
    expect(await listed('accept')).toBe(0);
    await client.writeFile(ref(0, 2), body);
    expect(await tree(root)).toContain('.sluice-root');
    expect(await listed('refuse')).toBe(1);
  });
});

describe('a bucket that was copied into a folder', () => {
  /** `asRead` is the client of a restore. */
  async function opened() {
    const { connect, root, replica } = await openFolder();
    const asRead = async (): Promise<Replica> =>
      new Destination(await connect('read'), { access: 'read' }).replica(root);
    return { root, replica, asRead };
  }

  test('is an error for a reader, not "no backup"', async () => {
    const { root, replica, asRead } = await opened();
    await mkdir(join(root, '0000'), { recursive: true });
    await writeFile(join(root, '0000', F), 'an LTX file');
    await expect(list(await asRead())).rejects.toEqual(
      expect.objectContaining({
        code: 'REPLICA_UNSUPPORTED',
        message: expect.stringMatching(/below ltx\/0.*below 0000: .*from an S3 bucket/) as string,
      }),
    );
    expect(await list(await replica())).toBe(0); // a writer has no files of its own there
  });

  test('is an error too if it is a backup of Litestream 0.3', async () => {
    const { root, asRead } = await opened();
    const snapshots = join(root, 'generations', '0123456789abcdef', 'snapshots');
    await mkdir(snapshots, { recursive: true });
    await writeFile(join(snapshots, '00000000.snapshot.lz4'), 'x');
    await expect(list(await asRead())).rejects.toEqual(
      expect.objectContaining({
        code: 'REPLICA_UNSUPPORTED',
        message: expect.stringContaining('there is a backup of Litestream 0.3') as string,
      }),
    );
  });

  test('is not mistaken for folders that only have such names', async () => {
    const { root, asRead } = await opened();
    await mkdir(join(root, '0000'), { recursive: true });
    await writeFile(join(root, '0000', 'readme.txt'), '');
    expect(await list(await asRead())).toBe(0);
  });

  test('is ignored if the replica has files', async () => {
    const { root, replica, asRead } = await opened();
    await (await replica()).writeFile(ref(0, 1), body);
    await mkdir(join(root, '0000'));
    await writeFile(join(root, '0000', F), 'an LTX file');
    expect(await list(await asRead())).toBe(1);
  });
});
