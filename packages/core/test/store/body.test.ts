import { expect, test } from 'vitest';

import { untilAborted } from '../../src/store/abort.ts';
import { bodyFromBytes, readBytes } from '../../src/store/body.ts';
import { bodyOf, bytesOf, CREATED_AT, withCode } from './fixtures.ts';

test('a body from bytes can be opened again', async () => {
  const body = bodyFromBytes(bytesOf(100), CREATED_AT);
  expect(body).toMatchObject({ sizeBytes: 100, createdAt: CREATED_AT });
  for (const _ of [1, 2]) expect(await readBytes(body.open(), 100)).toEqual(bytesOf(100));
  expect(await Array.fromAsync(bodyFromBytes(bytesOf(0), CREATED_AT).open())).toEqual([]);
});

test('small streams are read completely, large ones refused before they fill the memory', async () => {
  const body = bodyOf(bytesOf(5_000));
  expect(Uint8Array.from(await readBytes(body.open(), 5_000))).toEqual(bytesOf(5_000));
  await expect(readBytes(body.open(), 4_999)).rejects.toEqual(withCode('LTX_INVALID'));
});

test('a signal ends the read of a hanging stream', async () => {
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
