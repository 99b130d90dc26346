/** Replication to an encrypted destination, by a host without an identity. */

import { expect, test } from 'vitest';
import type { SealedRecord } from '../../src/replicate/destination/sealer.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { newKeys, type KeyPair } from '../encryption/keys.ts';
import { isFile, refusal, Scene, Staged, writing, type SceneOptions } from './scene.ts';

/** In every page of a scene. */
const CANARY = 'of lineage';
const ours = await newKeys();
const theirs = await newKeys();

function scene(options: SceneOptions = {}, keys: KeyPair = ours): Scene {
  return new Scene({ ...options, keys: keys.writer }).start();
}

/** The next process, with the same staging folder and destination. */
async function restarted(before: Scene, changes: SceneOptions = {}): Promise<Scene> {
  await before.uploader.close(new Error('the process has ended'));
  const { staged, store, record, sealed } = before;
  return scene({ staged, store, record, sealed, ...changes });
}

function versions(store: MemoryStore): unknown[] {
  return [...store.objects].map(([key, { version }]) => [key, version]);
}

async function seeded(): Promise<Scene> {
  const first = scene();
  first.staged.image();
  first.staged.commit();
  first.staged.commit();
  expect(await first.drained()).toBe('complete');
  return first;
}

test('every file is encrypted', async () => {
  const { store } = await seeded();
  expect(store.objects.size).toBe(4);
  for (const { bytes } of store.objects.values()) {
    expect(Buffer.from(bytes).toString('latin1')).not.toContain(CANARY);
    expect(Buffer.from(bytes).toString('latin1')).toMatch(/^age-encryption\.org\/v1\n/);
  }
});

test('the destination alone gives back the newest state', async () => {
  const first = await seeded();
  await first.expectRestored(first.reader(ours.reader));
  await expect(first.expectRestored(first.reader(theirs.reader))).rejects.toMatchObject({
    code: 'REPLICA_NO_IDENTITY',
  });
});

test('a restart sends nothing again', async () => {
  const first = await seeded();
  const before = versions(first.store);
  const second = await restarted(first);
  expect(await second.drained()).toBe('complete');
  expect(second.needs).toEqual([]);
  expect(second.messages.join('\n')).not.toContain('is not encrypted');
  expect(versions(second.store)).toEqual(before);
  second.staged.commit();
  expect(await second.drained()).toBe('complete');
  await second.expectRestored(second.reader(ours.reader));
});

test('a crash after a write, before its record, sends nothing again', async () => {
  const first = await seeded();
  const older = first.recorded.at(-2);
  const second = await restarted(first, { record: older });
  const before = versions(first.store);
  expect(await second.drained()).toBe('complete');
  expect(second.needs).toEqual([]);
  expect(versions(second.store)).toEqual(before);

  // Without the records of encrypted files nothing proves that the newest file is ours.
  const third = await restarted(second, { record: older, sealed: [] });
  expect(await third.drained()).toBe('complete');
  expect(third.needs).toEqual(['needs-image']);
  await third.expectRestored(third.reader(ours.reader));
});

test('a record of an encrypted file does not count for another staged file with its TXID', async () => {
  const first = await seeded();
  const older = first.recorded.at(-2);
  const foreign = first.sealed.map((each): SealedRecord => ({ ...each, plainChecksum: '00' }));
  const second = await restarted(first, { record: older, sealed: foreign });
  expect(await second.drained()).toBe('complete');
  expect(second.needs).toEqual(['needs-image']);
});

test.for([
  [0, 2],
  [9, 1],
] as const)(
  'an answer for level %i that was lost is recognized at the next try',
  async ([level, max]) => {
    let lost = 0;
    const server = writing(async (file, body, options, client) => {
      const info = await client.writeFile(file, body, options);
      if (!isFile(file, level, max) || lost > 0) return info;
      lost += 1;
      throw refusal('REPLICA_UNAVAILABLE');
    });
    const first = scene({ server });
    first.staged.image();
    first.staged.commit();
    first.staged.commit();
    await first.until('the answer was lost', () => lost > 0);
    first.later(60_000);
    expect(await first.drained()).toBe('complete');
    expect(first.needs).toEqual([]);
    expect(await first.names()).toEqual(['0/1-1', '0/2-2', '0/3-3', '9/1-1']);
    expect(first.messages.join('\n')).not.toContain('another writer');
    await first.expectRestored(first.reader(ours.reader));
  },
);

test('a write that arrives after a restart is recognized', async () => {
  const first = scene();
  first.staged.image();
  first.staged.commit();
  expect(await first.drained()).toBe('complete');
  const late = [...first.store.objects].find(([key]) => key.includes('0000000000000002.ltx'));
  if (late === undefined) throw new Error('TXID 2 is not there');
  const [key, object] = late;
  first.store.objects.delete(key);
  const server = writing(async (file, body, options, client) => {
    if (isFile(file, 0, 2)) first.store.objects.set(key, object);
    return await client.writeFile(file, body, options);
  });
  const second = await restarted(first, { record: first.recorded.at(-2), server });
  second.staged.commit();
  expect(await second.drained()).toBe('complete');
  expect(second.needs).toEqual([]);
  expect(first.store.objects.get(key)).toBe(object);
  await second.expectRestored(second.reader(ours.reader));
});

test('the file of another writer is not taken for ours', async () => {
  const first = await seeded();
  const staged = new Staged(0x900n);
  staged.image();
  for (let count = 0; count < 2; count++) staged.commit();
  const second = await restarted(first, { staged, record: undefined, sealed: [] });
  expect(await second.drained()).toBe('complete');
  expect(second.needs).toEqual(['needs-image']);
  await second.expectRestored(second.reader(ours.reader));
});

test('without encryption nothing is written beside encrypted files', async () => {
  const first = await seeded();
  const before = versions(first.store);
  await first.uploader.close(new Error('the process has ended'));
  const { staged, store, record } = first;
  const plain = new Scene({ staged, store, record }).start();
  staged.commit();
  await plain.until('it has failed', () => plain.uploader.health.lastError !== undefined);
  expect(plain.uploader.health.lastError?.code).toBe('REPLICA_NO_IDENTITY');
  expect(versions(store)).toEqual(before);
});

test('encryption may begin later', async () => {
  const plain = new Scene().start();
  plain.staged.image();
  plain.staged.commit();
  expect(await plain.drained()).toBe('complete');
  const second = await restarted(plain);
  second.staged.commit();
  expect(await second.drained()).toBe('complete');
  expect(second.needs).toEqual([]);
  expect(second.messages.join('\n')).toMatch(
    /level 9 0000000000000001-0000000000000001.ltx is not encrypted.*sluice rekey/,
  );
  await second.expectRestored(second.reader(ours.reader));
});
