import { expect, test } from 'vitest';

import { retry } from '../../src/store/policy/retry.ts';
import { settleConflicts } from '../../src/store/policy/conflict.ts';
import type { ObjectBody } from '../../src/store/client.ts';
import { chaos } from '../../src/store/chaos.ts';
import { bodyFromBytes } from '../../src/store/body.ts';
import { bodyOf, bytesOf, error, fakePolicy, memory, readKey, at, withCode } from './fixtures.ts';

const condition = 'if-absent';
const conflict = withCode('REPLICA_CONFLICT');

test.each([0, 5, 16, 17, 5_000])(
  'a write of %d bytes with a lost response succeeds',
  async (sizeBytes) => {
    const { client } = memory();
    await client.put(at(0, 1), bodyOf(bytesOf(3)));
    const { clock, policy } = fakePolicy();
    const flaky = chaos(client, {
      on: 'put',
      at: 'commit',
      error: error('REPLICA_UNAVAILABLE'),
    });
    const settled = settleConflicts(retry(flaky.client, policy));
    const bytes = bytesOf(sizeBytes);
    const info = await clock.run(settled.put(at(0, 2), bodyOf(bytes), { condition }));
    expect(info).toMatchObject({ key: at(0, 2), sizeBytes });
    expect(flaky.calls.put).toBe(2);
    expect(await readKey(client, at(0, 2))).toEqual(bytes);
  },
);

test.each([
  ['another size', bytesOf(5_001)],
  ['another trailer', Uint8Array.from([...bytesOf(4_999), 0xee])],
])("another's file of %s is a conflict", async (_how, theirs) => {
  const { client } = memory();
  await client.put(at(0, 1), bodyOf(theirs));
  const written = settleConflicts(client).put(at(0, 1), bodyOf(bytesOf(5_000)), {
    condition,
  });
  await expect(written).rejects.toEqual(conflict);
  expect(await readKey(client, at(0, 1))).toEqual(theirs);
});

test('a conflict with a file that disappears is a conflict', async () => {
  const { client } = memory();
  const lying = chaos(client, { on: 'put', error: error('REPLICA_CONFLICT') });
  const written = settleConflicts(lying.client).put(at(0, 1), bodyOf(bytesOf(9)), {
    condition,
  });
  await expect(written).rejects.toEqual(conflict);

  await client.put(at(0, 1), bodyOf(bytesOf(9)));
  const vanishing = chaos(client, { on: 'get', error: error('REPLICA_NOT_FOUND') });
  const late = settleConflicts(vanishing.client).put(at(0, 1), bodyOf(bytesOf(9)), {
    condition,
  });
  await expect(late).rejects.toEqual(conflict);
});

test('a conflict without a condition is reported unchanged', async () => {
  const { client } = memory();
  await client.put(at(0, 1), bodyOf(bytesOf(9)));
  const odd = chaos(client, { on: 'put', error: error('REPLICA_CONFLICT') });
  await expect(settleConflicts(odd.client).put(at(0, 1), bodyOf(bytesOf(9)))).rejects.toEqual(
    conflict,
  );
  expect(odd.calls).toMatchObject({ list: 0, get: 0 });
});

test('a small object with our bytes is our own', async () => {
  const settled = settleConflicts(memory().client);
  const body = (text: string): ObjectBody => bodyFromBytes(Buffer.from(text));
  const mine = body('{"nonce":"a"}');
  const { version } = await settled.put('db/lock.json', mine, { condition });
  expect(await settled.put('db/lock.json', mine, { condition })).toMatchObject({ version });
  for (const theirs of ['{"nonce":"b"}', '{}']) {
    const put = settled.put('db/lock.json', body(theirs), { condition });
    await expect(put).rejects.toEqual(conflict);
  }
  const stale = settled.put('db/x', mine, { condition: { version: 'v9' } });
  await expect(stale).rejects.toEqual(conflict);
});
