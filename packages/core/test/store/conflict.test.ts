import { expect, test } from 'vitest';

import { retry } from '../../src/store/policy/retry.ts';
import { settleConflicts, settleObjectConflicts } from '../../src/store/policy/conflict.ts';
import { memoryDestination } from '../../src/store/memory.ts';
import { chaos } from '../../src/store/chaos.ts';
import { bodyOf, bytesOf, error, fakePolicy, memory, readAll, ref, withCode } from './fixtures.ts';

const condition = 'if-absent';
const conflict = withCode('REPLICA_CONFLICT');

test.each([0, 5, 16, 17, 5_000])(
  'a write of %d bytes whose answer was lost is a success',
  async (sizeBytes) => {
    const { client } = memory();
    await client.writeFile(ref(0, 1), bodyOf(bytesOf(3)));
    const { clock, policy } = fakePolicy();
    const flaky = chaos(client, {
      on: 'writeFile',
      at: 'commit',
      error: error('REPLICA_UNAVAILABLE'),
    });
    const settled = settleConflicts(retry(flaky.client, 'mem', policy));
    const bytes = bytesOf(sizeBytes);
    const info = await clock.run(settled.writeFile(ref(0, 2), bodyOf(bytes), { condition }));
    expect(info).toMatchObject({ ...ref(0, 2), sizeBytes });
    expect(flaky.calls.writeFile).toBe(2);
    expect(await readAll(client, ref(0, 2))).toEqual(bytes);
  },
);

test.each([
  ['another size', bytesOf(5_001)],
  ['another trailer', Uint8Array.from([...bytesOf(4_999), 0xee])],
])("another's file of %s is a conflict", async (_how, theirs) => {
  const { client } = memory();
  await client.writeFile(ref(0, 1), bodyOf(theirs));
  const written = settleConflicts(client).writeFile(ref(0, 1), bodyOf(bytesOf(5_000)), {
    condition,
  });
  await expect(written).rejects.toEqual(conflict);
  expect(await readAll(client, ref(0, 1))).toEqual(theirs);
});

test('a file that is gone when it is looked at was a conflict', async () => {
  const { client } = memory();
  const lying = chaos(client, { on: 'writeFile', error: error('REPLICA_CONFLICT') });
  const written = settleConflicts(lying.client).writeFile(ref(0, 1), bodyOf(bytesOf(9)), {
    condition,
  });
  await expect(written).rejects.toEqual(conflict);

  await client.writeFile(ref(0, 1), bodyOf(bytesOf(9)));
  const vanishing = chaos(client, { on: 'openFile', error: error('REPLICA_NOT_FOUND') });
  const late = settleConflicts(vanishing.client).writeFile(ref(0, 1), bodyOf(bytesOf(9)), {
    condition,
  });
  await expect(late).rejects.toEqual(conflict);
});

test('a conflict that nobody asked for is told as it is', async () => {
  const { client } = memory();
  await client.writeFile(ref(0, 1), bodyOf(bytesOf(9)));
  const odd = chaos(client, { on: 'writeFile', error: error('REPLICA_CONFLICT') });
  await expect(
    settleConflicts(odd.client).writeFile(ref(0, 1), bodyOf(bytesOf(9))),
  ).rejects.toEqual(conflict);
  expect(odd.calls).toMatchObject({ listFiles: 0, openFile: 0 });
});

test('a named object that holds our bytes is ours', async () => {
  const objects = memoryDestination().objects?.('db');
  if (objects === undefined) throw new Error('memory has objects');
  const settled = settleObjectConflicts(objects);
  const mine = Buffer.from('{"nonce":"a"}');
  const { version } = await settled.put('lock.json', mine, { condition });
  expect(await settled.put('lock.json', mine, { condition })).toEqual({ version });
  for (const theirs of ['{"nonce":"b"}', '{}']) {
    await expect(settled.put('lock.json', Buffer.from(theirs), { condition })).rejects.toEqual(
      conflict,
    );
  }
  await expect(settled.put('x', mine, { condition: { version: 'v9' } })).rejects.toEqual(conflict);
});
