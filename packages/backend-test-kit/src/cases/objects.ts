import assert from 'node:assert/strict';

import { isError, messageOf, readBytes } from '@sluice/core/backend';
import { Replica, type NamedObjectInfo, type NamedObjects } from '@sluice/core/backend/testing';

import type { Case } from '../case.ts';
import { assertBytes, list, names, pattern, ref, rejectsWith, write } from '../helpers.ts';

/** Maximum size of a named object. */
const OBJECT_BYTES_MAX = 1_048_576;

export const objectCases: readonly Case[] = [
  {
    id: 'objects/put-and-get',
    promise: 'A named object of up to 1 MiB is stored and read with its version.',
    async run({ objects, subject }) {
      const largest = Math.min(OBJECT_BYTES_MAX, subject.capabilities.sizeMax ?? OBJECT_BYTES_MAX);
      for (const [index, sizeBytes] of [0, 1, 5_000, largest].entries()) {
        const name = `certificates/n_${index}.bin`;
        const bytes = pattern(sizeBytes, index);
        const { version } = await objects.put(name, bytes);
        const got = await objects.get(name);
        if (version !== undefined) assert.equal(got.version, version);
        assert.equal(got.sizeBytes, sizeBytes);
        assertBytes(await readBytes(got.body, OBJECT_BYTES_MAX), bytes);
      }
    },
  },
  {
    id: 'objects/each-put-is-another-version',
    promise: 'Each put creates a new version.',
    async run({ notTested, objects }) {
      const first = await versionOf(objects, await objects.put('lock.json', pattern(10, 1)));
      if (first === undefined) return notTested('objects have no versions');
      const second = await versionOf(objects, await objects.put('lock.json', pattern(10, 2)));
      assert.notEqual(first, second);
      assertBytes(await readAll(objects, 'lock.json'), pattern(10, 2));
    },
  },
  {
    id: 'objects/missing',
    promise: 'Reading a missing object fails with REPLICA_NOT_FOUND; deleting it succeeds.',
    async run({ objects }) {
      await rejectsWith(objects.get('lock.json'), 'REPLICA_NOT_FOUND');
      await objects.delete('lock.json');
      await objects.put('lock.json', pattern(9, 1));
      await objects.delete('lock.json');
      await rejectsWith(objects.get('lock.json'), 'REPLICA_NOT_FOUND');
    },
  },
  {
    id: 'objects/ranges',
    promise: 'Ranges work for named objects as for files.',
    needs: ['ranges'],
    async run({ objects }) {
      const bytes = pattern(10_000, 1);
      await objects.put('x', bytes);
      for (const range of [{ start: 0, end: 1 }, { start: 9_999 }, { start: 10, end: 20_000 }]) {
        const { body, sizeBytes } = await objects.get('x', { range });
        assert.equal(sizeBytes, 10_000);
        assertBytes(await readBytes(body, 10_000), bytes.subarray(range.start, range.end));
      }
      await rejectsWith(objects.get('x', { range: { start: 10_001 } }), 'REPLICA_RANGE');
    },
  },
  {
    id: 'objects/listed-in-byte-order',
    promise: 'Named objects are listed in byte order, by prefix and after a start key.',
    async run({ client, layer, objects, path }) {
      const all = ['a', 'a-b', 'a.b', 'a/c', 'a/c-d', 'a/c/d', 'a0', 'a_b', 'b', 'generations/0/x'];
      for (const name of all.toReversed().filter(isNotAFolder))
        await objects.put(name, pattern(3, 1));
      await new Replica(client, `${path}-b`).objects.put('zz', pattern(3, 1));
      const expected = all.filter(isNotAFolder);
      assert.deepEqual(await listed(objects, ''), expected);
      assert.deepEqual(
        await listed(objects, 'a'),
        expected.filter((name) => name.startsWith('a')),
      );
      assert.deepEqual(await listed(objects, 'a/'), ['a/c-d', 'a/c/d']);
      const startAfter = `${path}/a/c-d`;
      const infos = await Array.fromAsync(client.list(`${path}/`, { root: path, startAfter }));
      // Some servers also list folder markers, which replicas ignore.
      const keys = infos.map(({ key }) => key).filter((key) => !key.endsWith('/'));
      // A backend may ignore startAfter; core then drops the earlier keys.
      const after = layer === 'bare' ? keys.filter((key) => key > startAfter) : keys;
      assert.deepEqual(
        after,
        expected.map((name) => `${path}/${name}`).filter((key) => key > startAfter),
      );
      assert.deepEqual(await listed(objects, 'c'), []);
    },
  },
  {
    id: 'objects/beside-files',
    promise: 'Listings of named objects have no LTX files, and the other way around.',
    async run({ objects, replica }) {
      await write(replica, ref(0, 1), pattern(9, 1));
      await write(replica, ref(9, 1), pattern(9, 1));
      await objects.put('lock.json', pattern(9, 1));
      assert.deepEqual(await listed(objects, ''), ['lock.json']);
      assert.deepEqual(names(await list(replica, 'all')).toSorted(), names([ref(0, 1), ref(9, 1)]));
    },
  },
  {
    id: 'objects/if-absent',
    promise: 'Exactly one of twenty concurrent puts with if-absent succeeds.',
    needs: ['conditions'],
    async run({ objects }) {
      const bodies = Array.from({ length: 20 }, (_, index) => pattern(100, index + 1));
      const ended = await Promise.allSettled(
        bodies.map((bytes) => objects.put('lock.json', bytes, { condition: 'if-absent' })),
      );
      const winners = ended.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []));
      assert.equal(winners.length, 1);
      for (const each of ended) {
        if (each.status === 'rejected')
          assert(isError(each.reason, 'REPLICA_CONFLICT'), each.reason);
      }
      assertBytes(await readAll(objects, 'lock.json'), bodies[winners[0]!]!);
    },
  },
  {
    id: 'objects/if-version',
    promise: 'A put with a version replaces only that version.',
    needs: ['versions'],
    async run({ objects }) {
      const { version } = await objects.put('lock.json', pattern(10, 1));
      assert(version !== undefined, 'a put returns the version');
      await objects.put('lock.json', pattern(10, 2), { condition: { version } });
      const stale = objects.put('lock.json', pattern(10, 3), { condition: { version } });
      await rejectsWith(stale, 'REPLICA_CONFLICT');
      assertBytes(await readAll(objects, 'lock.json'), pattern(10, 2));
      const absent = objects.put('other.json', pattern(10, 3), { condition: { version } });
      await rejectsWith(absent, 'REPLICA_CONFLICT');
    },
  },
  {
    id: 'objects/delete-of-a-version',
    promise:
      'A delete with a version removes only that version, or fails with REPLICA_UNSUPPORTED.',
    async run({ notTested, objects, note }) {
      const first = await objects.put('lock.json', pattern(20, 1));
      const { version } = await objects.put('lock.json', pattern(20, 2));
      if (version === undefined || first.version === version)
        return notTested('two puts do not return different versions');
      const stale = await objects
        .delete('lock.json', { version: first.version })
        .catch((error: unknown) => error);
      assertBytes(await readAll(objects, 'lock.json'), pattern(20, 2));
      if (isError(stale, 'REPLICA_UNSUPPORTED')) {
        const current = objects.delete('lock.json', { version });
        await rejectsWith(current, 'REPLICA_UNSUPPORTED');
        assertBytes(await readAll(objects, 'lock.json'), pattern(20, 2));
        note('fails with REPLICA_UNSUPPORTED');
        return;
      }
      assert(isError(stale, 'REPLICA_CONFLICT'), `delete of an old version: ${messageOf(stale)}`);
      await objects.delete('lock.json', { version });
      assert.deepEqual(await listed(objects, ''), []);
      await rejectsWith(objects.delete('lock.json', { version }), 'REPLICA_CONFLICT');
    },
  },
];

/** `a` and `a/c` cannot be files if they are also folders (of `a/c` and `a/c/d`). */
function isNotAFolder(name: string): boolean {
  return name !== 'a' && name !== 'a/c';
}

async function readAll(objects: NamedObjects, name: string): Promise<Uint8Array> {
  return await readBytes((await objects.get(name)).body, OBJECT_BYTES_MAX);
}

async function listed(objects: NamedObjects, prefix: string): Promise<string[]> {
  const entries = await Array.fromAsync(objects.list(prefix));
  return entries.map((entry) => entry.name);
}

/** Some backends return the version of an object only when it is opened. */
async function versionOf(
  objects: NamedObjects,
  { name, version }: Pick<NamedObjectInfo, 'name' | 'version'>,
): Promise<string | undefined> {
  if (version !== undefined) return version;
  const opened = await objects.get(name);
  await readBytes(opened.body, OBJECT_BYTES_MAX);
  return opened.version;
}
