/** The steps of a write, with file system errors injected into single calls. */

import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { basename, join } from 'node:path';

import { bodyFromBytes } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

import { openFolder, ref, tree } from './fixtures.ts';

const CREATED_AT = new Date(1_700_000_000_123);
const body = bodyFromBytes(Buffer.from('an LTX file'), CREATED_AT);
const F = '0000000000000001-0000000000000001.ltx';

/** The prototype of all file handles. */
let handles: fs.FileHandle;
/** Its original methods. */
let real: Record<'write' | 'utimes' | 'sync', Method>;

type Method = (...given: unknown[]) => Promise<unknown>;

/** The short file name of each handle. */
const nameOf = new WeakMap<fs.FileHandle, string>();
let calls: string[];

beforeAll(async () => {
  const probe = await fs.open('.', 'r');
  handles = Object.getPrototypeOf(probe) as fs.FileHandle;
  const method = (name: string): Method => Reflect.get(handles, name) as Method;
  real = { write: method('write'), utimes: method('utimes'), sync: method('sync') };
  await probe.close();
});

beforeEach(() => {
  calls = [];
  const { open } = fs;
  vi.spyOn(fs, 'open').mockImplementation(async (path, flags, mode) => {
    const handle = await open(path, flags, mode);
    nameOf.set(handle, shortName(String(path)));
    return handle;
  });
  for (const method of ['rename', 'link', 'unlink'] as const) {
    const original = fs[method] as (...paths: unknown[]) => Promise<void>;
    vi.spyOn(fs, method).mockImplementation(async (...paths: unknown[]) => {
      calls.push(`${method} ${paths.map((path) => shortName(String(path))).join(' ')}`);
      await original(...paths);
    });
  }
  for (const method of ['write', 'utimes', 'sync'] as const) {
    const original = real[method];
    vi.spyOn(handles, method as 'sync').mockImplementation(async function (
      this: fs.FileHandle,
      ...given
    ) {
      calls.push(`${method} ${nameOf.get(this)}`);
      return (await original.apply(this, given)) as undefined;
    });
  }
  syncBuiltinESMExports();
});

afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

/** Temporary names are random. */
function shortName(path: string): string {
  return basename(path).replace(/\.[0-9a-f-]{36}\.sluice-tmp$/, '.TEMP');
}

/** A replica that has written before, so its folders exist. */
async function started(): Promise<{ root: string; client: Replica }> {
  const { root, replica } = await openFolder();
  const client = await replica();
  await client.writeFile(ref(0, 2), body);
  calls = [];
  return { root, client };
}

describe('a file is written', () => {
  test('by temporary file, fsync, rename and fsync of the folder, in this order', async () => {
    const { client } = await started();
    await client.writeFile(ref(0, 1), body);
    expect(calls).toEqual([
      `write ${F}.TEMP`,
      `utimes ${F}.TEMP`,
      `sync ${F}.TEMP`,
      `rename ${F}.TEMP ${F}`,
      'sync 0',
    ]);
  });

  test('with if-absent, by a link instead of a rename', async () => {
    const { client } = await started();
    await client.writeFile(ref(0, 1), body, { condition: 'if-absent' });
    expect(calls.slice(2)).toEqual([
      `sync ${F}.TEMP`,
      `link ${F}.TEMP ${F}`,
      `unlink ${F}.TEMP`,
      'sync 0',
    ]);
  });

  test('and the names of new folders are made durable too', async () => {
    const { replica } = await openFolder();
    await (await replica()).writeFile(ref(0, 1), body);
    const synced = calls.filter((call) => call.startsWith('sync')).map((call) => call.slice(5));
    // The folder that contains "backups", "app", the marker, "ltx" and "0", each fsynced.
    expect(synced.slice(1)).toEqual([
      'backups',
      '.sluice-root.TEMP',
      'app',
      'app',
      'ltx',
      `${F}.TEMP`,
      '0',
    ]);
  });

  test('and existing folders are fsynced by a new client: their names may not be durable yet', async () => {
    const { replica } = await openFolder();
    await (await replica()).writeFile(ref(0, 2), body);
    calls = [];
    await (await replica()).writeFile(ref(0, 1), body);
    expect(calls.slice(0, 2)).toEqual(['sync app', 'sync ltx']);
  });

  test("with the transaction's time, to the millisecond, and the time of the upload", async () => {
    const { root, client } = await started();
    const before = Date.now();
    for (let ms = 0; ms < 1_000; ms += 7) {
      const createdAt = new Date(1_700_000_000_000 + ms);
      const info = await client.writeFile(ref(0, 1), { ...body, createdAt });
      expect(info.createdAt).toEqual(createdAt);
      expect(info.modifiedAt.getTime()).toBeGreaterThan(before - 1_000);
    }
    const { mtimeNs } = await fs.stat(join(root, 'ltx/0', F), { bigint: true });
    // A double is off by up to a quarter of a microsecond. It must not be late: Litestream skips
    // files that are later than the moment it restores.
    const earlyNs = 1_700_000_000_994_000_000n - mtimeNs;
    expect(earlyNs >= 0n && earlyNs < 1_000n).toBe(true);
  });

  test('readable by its owner only', async () => {
    const { root, client } = await started();
    await client.writeFile(ref(0, 1), body);
    expect((await fs.stat(join(root, 'ltx/0', F))).mode & 0o777).toBe(0o600);
  });
});

describe('a failed write leaves the old file and nothing else', () => {
  const faults = [
    ['write', 'ENOSPC', 'REPLICA_FULL'],
    ['write', 'EIO', 'REPLICA_UNKNOWN'],
    ['sync', 'EIO', 'REPLICA_UNKNOWN'],
    ['sync', 'ENOSPC', 'REPLICA_FULL'],
    ['rename', 'EACCES', 'REPLICA_PERMISSION_DENIED'],
    ['open', 'EACCES', 'REPLICA_PERMISSION_DENIED'],
    ['open', 'EMFILE', 'REPLICA_UNAVAILABLE'],
  ] as const;

  test.each(faults)('%s: %s is %s', async (call, system, code) => {
    const { root, client } = await started();
    await client.writeFile(ref(0, 1), body);
    const before = await tree(root);
    failOnce(call, system);
    const failed = client.writeFile(ref(0, 1), bodyFromBytes(Buffer.from('another'), CREATED_AT));
    await expect(failed).rejects.toMatchObject({ code });
    expect(await tree(root)).toEqual(before);
    expect(await fs.readFile(join(root, 'ltx/0', F), 'utf8')).toBe('an LTX file');
    await client.writeFile(ref(0, 1), bodyFromBytes(Buffer.from('another'), CREATED_AT));
    expect(await fs.readFile(join(root, 'ltx/0', F), 'utf8')).toBe('another');
  });

  test('a short write is continued', async () => {
    const { root, client } = await started();
    vi.spyOn(handles, 'write').mockImplementation(async function (
      this: fs.FileHandle,
      buffer: Uint8Array,
      offset: number,
    ) {
      return await real.write.call(this, buffer, offset, Math.min(3, buffer.byteLength - offset));
    } as never);
    await client.writeFile(ref(0, 1), body);
    expect(await fs.readFile(join(root, 'ltx/0', F), 'utf8')).toBe('an LTX file');
  });
});

test('an error of the source is reported unchanged, not as an error of the folder', async () => {
  const { client, root } = await started();
  const before = await tree(root);
  const failure = systemError('EIO');
  const open = (): never => {
    throw failure;
  };
  await expect(client.writeFile(ref(0, 1), { ...body, open })).rejects.toBe(failure);
  expect(await tree(root)).toEqual(before);
});

test('a write that is aborted during its fsync is not renamed afterwards', async () => {
  const { root, connect } = await openFolder();
  const destination = await connect();
  const client = new Replica(destination, root);
  await client.writeFile(ref(0, 1), body);
  const before = await tree(root);
  const controller = new AbortController();
  const reason = new Error('not wanted');
  const synced = Promise.withResolvers<void>();
  vi.spyOn(handles, 'sync').mockImplementationOnce(async function (this: fs.FileHandle) {
    controller.abort(reason);
    await synced.promise;
    await real.sync.call(this);
  });
  const other = bodyFromBytes(Buffer.from('another'), CREATED_AT);
  const aborted = client.writeFile(ref(0, 1), other, { signal: controller.signal });
  await expect(aborted).rejects.toBe(reason); // while the fsync still hangs
  synced.resolve();
  await destination.close(); // waits for the aborted call
  expect(await tree(root)).toEqual(before);
  expect(await fs.readFile(join(root, 'ltx/0', F), 'utf8')).toBe('an LTX file');
});

describe('on a file system without hard links', () => {
  const condition = 'if-absent';

  beforeEach(() => {
    vi.spyOn(fs, 'link').mockRejectedValue(systemError('EPERM'));
    syncBuiltinESMExports();
  });

  test('if-absent is still a conflict, and one of 20 concurrent writes wins', async () => {
    const { client, root } = await started();
    const ended = await Promise.allSettled(
      Array.from({ length: 20 }, () => client.writeFile(ref(0, 1), body, { condition })),
    );
    expect(ended.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const late = client.writeFile(ref(0, 1), body, { condition });
    await expect(late).rejects.toMatchObject({ code: 'REPLICA_CONFLICT' });
    expect((await tree(join(root, 'ltx/0'))).filter((name) => name.includes('tmp'))).toEqual([]);
  });
});

test('a file is written even if its folder cannot be fsynced', async () => {
  const { client } = await started();
  vi.spyOn(handles, 'sync').mockImplementation(async function (this: fs.FileHandle) {
    if (nameOf.get(this) === '0') throw systemError('EINVAL');
    await real.sync.call(this);
  });
  await expect(client.writeFile(ref(0, 1), body)).resolves.toMatchObject({ sizeBytes: 11 });
});

function failOnce(call: 'open' | 'write' | 'sync' | 'rename', code: string): void {
  const target = call === 'write' || call === 'sync' ? handles : fs;
  vi.spyOn(target as typeof fs, call as 'rename').mockRejectedValueOnce(systemError(code));
  syncBuiltinESMExports();
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: a system call failed`), { code });
}
