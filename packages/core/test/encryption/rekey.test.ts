/** New keys for a destination, and a copy of it without encryption. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { OwnerLock } from '../../src/database/staging/owner-lock.ts';
import { Encryption, type EncryptionKeys } from '../../src/encryption/age.ts';
import { ReplicationError } from '../../src/error.ts';
import { systemFiles } from '../../src/file-system.ts';
import { decryptReplica } from '../../src/rekey/decrypt.ts';
import { rekey } from '../../src/rekey/rekey.ts';
import { Destination } from '../../src/replica/destination.ts';
import { Replica } from '../../src/replica/replica.ts';
import {
  includesState,
  surveyReplica,
  type SurveyedReplica,
} from '../../src/restore/plan/survey.ts';
import { SentRecords } from '../../src/replicate/record.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { bodyFromBytes } from '../../src/store/body.ts';
import { chaos } from '../../src/store/chaos.ts';
import { memoryClient, type MemoryStore } from '../../src/store/memory.ts';
import { Scene } from '../replicate/scene.ts';
import { encodeFile } from '../restore/bucket.ts';
import { temporaryFolder } from '../restore/temporary.ts';
import { newKeys } from './keys.ts';

const TARGET = 'memory://bucket/db';
const [old, next] = await Promise.all([newKeys(), newKeys()]);
/** A host that reads with both keys, and writes for the new one. */
const ROTATING: EncryptionKeys = {
  recipients: [next.recipient],
  identities: async () => [old.identity, next.identity],
};

/** A destination with four files, encrypted with the old key. */
async function seeded(): Promise<Scene> {
  const scene = new Scene({ keys: old.writer }).start();
  scene.staged.image();
  scene.staged.commit();
  scene.staged.commit();
  expect(await scene.drained()).toBe('complete');
  return scene;
}

function replicaOf(store: MemoryStore, keys: EncryptionKeys): Replica {
  return new Destination(memoryClient({ store }), { encryption: new Encryption(keys) }).replica(
    'db',
  );
}

function bytesOf(store: MemoryStore): Map<string, Buffer> {
  return new Map([...store.objects].map(([key, { bytes }]) => [key, Buffer.from(bytes)]));
}

test('after new keys, only the new identity decrypts the files', async () => {
  const scene = await seeded();
  const seen: number[] = [];
  const report = await rekey({
    replica: replicaOf(scene.store, ROTATING),
    onProgress: (done) => seen.push(done),
  });
  expect(report.files).toBe(4);
  expect(seen).toHaveLength(4);
  await scene.expectRestored(scene.reader(next.reader));
  const code = 'REPLICA_NO_IDENTITY';
  await expect(scene.expectRestored(scene.reader(old.reader))).rejects.toMatchObject({ code });
});

test('files that were not encrypted are encrypted', async () => {
  const scene = new Scene().start();
  scene.staged.image();
  expect(await scene.drained()).toBe('complete');
  await rekey({ replica: replicaOf(scene.store, ROTATING) });
  for (const bytes of bytesOf(scene.store).values()) {
    expect(bytes.toString('latin1')).not.toContain('of lineage');
  }
  await scene.expectRestored(scene.reader(next.reader));
});

test.for([1, 2, 3, 4])(
  'a failure at file %i leaves every file readable, and it continues',
  async (at) => {
    for (const point of ['before', 'commit'] as const) {
      const scene = await seeded();
      const { client } = chaos(memoryClient({ store: scene.store }), {
        ...({ on: 'put', at: point, after: at - 1 } as const),
        error: new ReplicationError('REPLICA_PERMISSION_DENIED', 'the process has ended'),
      });
      const encryption = new Encryption(ROTATING);
      const replica = new Destination(client, { encryption, attemptsMax: 1 }).replica('db');
      await expect(rekey({ replica })).rejects.toMatchObject({ code: 'REPLICA_PERMISSION_DENIED' });
      await scene.expectRestored(scene.reader(ROTATING));
      await rekey({ replica: replicaOf(scene.store, ROTATING) });
      await scene.expectRestored(scene.reader(next.reader));
    }
  },
);

test('a damaged file, or one for other keys, is not replaced', async () => {
  const scene = await seeded();
  const [key = ''] = scene.store.objects.keys();
  const bytes = Buffer.from(scene.store.objects.get(key)?.bytes ?? []);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  scene.store.put(key, bytes, { modifiedAt: new Date() });
  const before = bytesOf(scene.store);
  await expect(rekey({ replica: replicaOf(scene.store, ROTATING) })).rejects.toMatchObject({
    code: 'LTX_INVALID',
  });
  expect(bytesOf(scene.store).get(key)).toEqual(before.get(key));
  const stranger = replicaOf(scene.store, next.reader);
  await expect(rekey({ replica: stranger })).rejects.toMatchObject({ code: 'REPLICA_NO_IDENTITY' });
});

/** A destination without encryption, of which one file is changed. */
async function plainWith(change: (store: MemoryStore, key: string) => void): Promise<Scene> {
  const scene = new Scene().start();
  scene.staged.image();
  scene.staged.commit();
  scene.staged.commit();
  expect(await scene.drained()).toBe('complete');
  const key = [...scene.store.objects.keys()].find((each) => each.includes('/0/0000000000000002'));
  change(scene.store, key ?? '');
  return scene;
}

function stored(store: MemoryStore, key: string): Buffer {
  return Buffer.from(store.objects.get(key)?.bytes ?? []);
}

test.for<[string, (store: MemoryStore, key: string) => void]>([
  [
    'with a flipped bit',
    (store, key) => {
      const bytes = stored(store, key);
      const middle = bytes.length >> 1;
      bytes[middle] = (bytes[middle] ?? 0) ^ 1;
      store.put(key, bytes, { modifiedAt: new Date() });
    },
  ],
  [
    'that was cut short',
    (store, key) => store.put(key, stored(store, key).subarray(0, -9), { modifiedAt: new Date() }),
  ],
  [
    'with the content of another one',
    (store, key) =>
      store.put(key, stored(store, key.replaceAll('002', '003')), { modifiedAt: new Date() }),
  ],
])('a file %s is neither encrypted nor copied, and named', async ([, change]) => {
  const { store } = await plainWith(change);
  const before = bytesOf(store);
  const damaged = {
    code: expect.stringMatching(/^LTX_/) as string,
    message: expect.stringMatching(/^read level 0 0{15}2-0{15}2.ltx: /) as string,
  };
  await expect(rekey({ replica: replicaOf(store, ROTATING) })).rejects.toMatchObject(damaged);
  const key = [...before.keys()].find((each) => each.includes('/0/0000000000000002')) ?? '';
  for (const [each, bytes] of bytesOf(store)) {
    const isEncrypted = bytes.toString('latin1').startsWith('age-encryption.org/');
    expect(isEncrypted, each).toBe(each !== key); // the others have the new keys
  }
  expect(bytesOf(store).get(key)).toEqual(before.get(key));

  const plain = new Destination(memoryClient({ store: (await plainWith(change)).store }));
  const target = memoryClient();
  const copy = decryptReplica({
    from: plain.replica('db'),
    to: new Destination(target).replica('copy'),
  });
  await expect(copy).rejects.toMatchObject(damaged);
  const copied = await Array.fromAsync(target.list(''), ({ key: each }) => each);
  expect(copied.filter((each) => each.includes('/0/0000000000000002'))).toEqual([]);
});

test('the records of the staging folder follow, so a start sends nothing again', async () => {
  const scene = await seeded();
  await scene.uploader.close(new Error('the process has ended'));
  const metaPath = temporaryFolder();
  const records = new SentRecords(metaPath, systemFiles);
  if (scene.record === undefined) throw new Error('nothing was sent');
  records.set(TARGET, scene.record);
  await records.save();
  const local = { database: path.join(metaPath, 'app.db'), metaPath, target: TARGET };
  await rekey({ replica: replicaOf(scene.store, ROTATING), local });

  const after = new SentRecords(metaPath, systemFiles);
  await after.load();
  const { staged, store } = scene;
  const record = after.get(TARGET);
  const sealed = after.sealed(TARGET);
  const [newest] = [...store.objects].filter(([key]) => key.includes('ltx/0/0000000000000003'));
  const bytes = Buffer.from(newest?.[1].bytes ?? []);
  expect(record).toMatchObject({
    sizeBytes: bytes.length,
    checksum: bytes.subarray(-8).toString('hex'),
    lineage: scene.record.lineage,
  });
  const keys = next.writer;
  const second = new Scene({ staged, store, record, sealed, keys }).start();
  expect(await second.drained()).toBe('complete');
  expect(second.needs).toEqual([]);
  // The file was replaced, and the process ended before the record was.
  const third = new Scene({ staged, store, record: scene.record, sealed, keys }).start();
  expect(await third.drained()).toBe('complete');
  expect(third.needs).toEqual([]);
});

test('while a replicator runs, nothing is replaced', async () => {
  const scene = await seeded();
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  const lock = await OwnerLock.acquire({ folder, database, clock: systemClock });
  try {
    const before = bytesOf(scene.store);
    const local = { database, metaPath: folder, target: TARGET };
    const replica = replicaOf(scene.store, ROTATING);
    await expect(rekey({ replica, local })).rejects.toMatchObject({ code: 'STAGING_IN_USE' });
    expect(bytesOf(scene.store)).toEqual(before);
  } finally {
    lock.release();
  }
});

test('a decrypted copy is restored without keys, and is continued after a failure', async () => {
  const scene = await seeded();
  const copy = new Scene({ staged: scene.staged });
  const { client } = chaos(memoryClient({ store: copy.store }), {
    ...({ on: 'put', at: 'before', after: 2 } as const),
    error: new ReplicationError('REPLICA_PERMISSION_DENIED', 'the process has ended'),
  });
  const from = replicaOf(scene.store, old.reader);
  const broken = new Destination(client, { attemptsMax: 1 }).replica('db');
  await expect(decryptReplica({ from, to: broken })).rejects.toThrow('the process has ended');
  expect(copy.store.objects.size).toBe(2);
  const to = new Destination(memoryClient({ store: copy.store })).replica('db');
  expect(await decryptReplica({ from, to })).toMatchObject({ written: 2, kept: 2 });
  await copy.expectRestored();
  const staged = fs.readFileSync(path.join(scene.staged.folder, 'level0-3.ltx'));
  const key = [...copy.store.objects.keys()].find((each) =>
    each.includes('ltx/0/0000000000000003'),
  );
  expect(Buffer.from(copy.store.objects.get(key ?? '')?.bytes ?? [])).toEqual(staged);
});

test('a decrypted copy has the same state as the encrypted backup', async () => {
  const scene = await seeded();
  const copy = new Scene({ staged: scene.staged });
  const from = replicaOf(scene.store, old.reader);
  const to = new Destination(memoryClient({ store: copy.store })).replica('db');
  await decryptReplica({ from, to });
  const survey = async (client: Replica): Promise<SurveyedReplica> => {
    const found = await surveyReplica(client, { kind: 'latest' });
    if (found.kind !== 'restorable') throw new Error(`it is ${found.kind}`);
    return { client, newest: found.newest, listed: found.listed };
  };
  const [encrypted, plain] = [await survey(from), await survey(to)];
  expect(await includesState(encrypted, plain)).toBe(true);
  expect(await includesState(plain, encrypted)).toBe(true);
  // Another file with the same name and size.
  const key = to.keyOf(plain.newest.file);
  const bytes = Buffer.from(copy.store.objects.get(key)?.bytes ?? []);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  copy.store.put(key, bytes, { modifiedAt: new Date() });
  expect(await includesState(encrypted, plain)).toBe(false);
});

test('a decrypted copy is not mixed with another backup', async () => {
  const scene = await seeded();
  const other = new Scene().start();
  for (let count = 0; count < 5; count++) {
    if (count === 0) other.staged.image();
    else other.staged.commit();
  }
  expect(await other.drained()).toBe('complete');
  const before = bytesOf(other.store);
  const from = replicaOf(scene.store, old.reader);
  const to = new Destination(memoryClient({ store: other.store })).replica('db');
  await expect(decryptReplica({ from, to })).rejects.toMatchObject({ code: 'REPLICA_CONFLICT' });
  expect(bytesOf(other.store)).toEqual(before);
});

test('a file of another database with the same name and size is not taken for a copy', async () => {
  const scene = await seeded();
  const from = replicaOf(scene.store, old.reader);
  const copy = new Scene({ staged: scene.staged });
  const to = new Destination(memoryClient({ store: copy.store })).replica('db');
  await decryptReplica({ from, to });
  const [key = ''] = copy.store.objects.keys();
  const bytes = Buffer.from(copy.store.objects.get(key)?.bytes ?? []);
  bytes.writeBigUInt64BE(bytes.readBigUInt64BE(32) + 1n, 32); // the time in its header
  copy.store.put(key, bytes, { modifiedAt: new Date() });
  await expect(decryptReplica({ from, to })).rejects.toMatchObject({
    code: 'REPLICA_CONFLICT',
    message: /is of another database or history/,
  });
});

test('files that a replicator deletes meanwhile are left out of a decrypted copy', async () => {
  const scene = await seeded();
  const copy = new Scene({ staged: scene.staged });
  const from = replicaOf(scene.store, old.reader);
  const to = new Destination(memoryClient({ store: copy.store })).replica('db');
  const report = await decryptReplica({
    ...{ from, to },
    onProgress: (done, total) => {
      if (done < total && scene.store.objects.size === 4) scene.remove(9, 1);
    },
  });
  expect(report).toMatchObject({ written: 3, kept: 0 });
  await copy.expectRestored();

  const vanishing = decryptReplica({
    ...{ from, to: new Destination(memoryClient()).replica('db') },
    onProgress: () => scene.store.objects.clear(),
  });
  await expect(vanishing).rejects.toMatchObject({ code: 'RESTORE_NO_SNAPSHOT' });
});

test('the record of a merged file follows too', async () => {
  const scene = await seeded();
  const name = '0000000000000002-0000000000000003.ltx';
  const page = { commit: 1, pageSize: 512, pages: new Map([[1, new Uint8Array(512)]]), nodeID: 7n };
  const file = { level: 1, minTXID: toTXID(2), maxTXID: toTXID(3) };
  const body = bodyFromBytes(encodeFile(2, 3, page), new Date());
  await replicaOf(scene.store, old.writer).writeFile(file, body);
  const object = scene.store.objects.get(`db/ltx/1/${name}`);
  if (object === undefined) throw new Error('it is not there');
  const metaPath = temporaryFolder();
  const records = new SentRecords(metaPath, systemFiles);
  const end = Buffer.from(object.bytes.subarray(-8)).toString('hex');
  const merged = { level: 1, minTXID: 2n };
  const sizeBytes = object.bytes.length;
  records.set(TARGET, { txid: 3n, sizeBytes, checksum: end, lineage: 7n, merged });
  await records.save();
  const local = { database: path.join(metaPath, 'app.db'), metaPath, target: TARGET };
  await rekey({ replica: replicaOf(scene.store, ROTATING), local });

  const after = new SentRecords(metaPath, systemFiles);
  await after.load();
  const stored = scene.store.objects.get(`db/ltx/1/${name}`)?.bytes ?? new Uint8Array(0);
  const checksum = Buffer.from(stored.subarray(-8)).toString('hex');
  expect(after.get(TARGET)).toMatchObject({ sizeBytes: stored.length, checksum, merged });
  expect(after.sealed(TARGET)).toContainEqual(expect.objectContaining({ checksum, merged }));
});
