import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { bodyFromBytes, bodyFromFile, readFileBytes } from '../../src/store/body.ts';
import { readBytes } from '../../src/store/read-bytes.ts';
import { untilAborted } from '../../src/store/until-aborted.ts';
import { bodyOf, bytesOf, CREATED_AT, memory, ref, withCode } from '../store/fixtures.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-body-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('bytes are a body that can be opened again', async () => {
  const body = bodyFromBytes(bytesOf(100), CREATED_AT);
  expect(body).toMatchObject({ sizeBytes: 100, createdAt: CREATED_AT });
  for (const _ of [1, 2]) expect(await readBytes(body.open(), 100)).toEqual(bytesOf(100));
  expect(await Array.fromAsync(bodyFromBytes(bytesOf(0), CREATED_AT).open())).toEqual([]);
});

test.each([0, 1, 1_048_575, 1_048_576, 1_048_577, 3_000_000])(
  'a file of %d bytes is a body',
  async (sizeBytes) => {
    const path = join(folder, 'staged');
    const bytes = Buffer.alloc(sizeBytes, 'abcdefg');
    await writeFile(path, bytes);
    const body = await bodyFromFile(path, { createdAt: CREATED_AT });
    expect(body.sizeBytes).toBe(sizeBytes);
    const handles = async (): Promise<number> => (await readdir('/proc/self/fd')).length;
    const before = await handles();
    for (const _ of [1, 2]) {
      const chunks = await Array.fromAsync(body.open());
      expect(Buffer.compare(Buffer.concat(chunks), bytes)).toBe(0);
      for (const chunk of chunks) expect(chunk.byteLength).toBeLessThanOrEqual(1_048_576);
    }
    for await (const _ of body.open()) break;
    expect(await handles()).toBe(before);
  },
);

test('a file that became shorter ends early, and a missing one throws', async () => {
  const path = join(folder, 'staged');
  await writeFile(path, bytesOf(100));
  const body = await bodyFromFile(path, { createdAt: CREATED_AT, sizeBytes: 100 });
  await truncate(path, 40);
  expect(await readBytes(body.open(), 100)).toEqual(Buffer.from(bytesOf(40)));
  await rm(path);
  await expect(Array.fromAsync(body.open())).rejects.toThrow('ENOENT');
  await expect(bodyFromFile(path, { createdAt: CREATED_AT })).rejects.toThrow('ENOENT');
});

test('small files are read whole, large ones refused before they fill the memory', async () => {
  const { client } = memory();
  await client.writeFile(ref(0, 1), bodyOf(bytesOf(5_000)));
  expect(Uint8Array.from(await readFileBytes(client, ref(0, 1), 5_000))).toEqual(bytesOf(5_000));
  await expect(readFileBytes(client, ref(0, 1), 4_999)).rejects.toEqual(withCode('LTX_INVALID'));
  await expect(readBytes(bodyOf(bytesOf(5_000)).open(), 4_999)).rejects.toEqual(
    withCode('LTX_INVALID'),
  );
});

test('a stream that hangs can be left by a signal', async () => {
  const controller = new AbortController();
  const reason = new Error('not wanted');
  const hanging = async function* (): AsyncGenerator<number> {
    yield 1;
    controller.abort(reason);
    await new Promise(() => undefined);
  };
  const seen: number[] = [];
  const reading = async (): Promise<void> => {
    for await (const item of untilAborted(hanging(), undefined, controller.signal)) seen.push(item);
  };
  await expect(reading()).rejects.toBe(reason);
  expect(seen).toEqual([1]);
  await expect(Array.fromAsync(untilAborted(hanging(), controller.signal))).rejects.toBe(reason);
});
