import assert from 'node:assert/strict';

import {
  isError,
  messageOf,
  OBJECT_BYTES_MAX,
  readBytes,
  type NamedObjects,
} from '@sluice/core/backend';

import type { Case } from '../case.ts';
import { assertBytes, list, names, pattern, ref, rejectsWith, write } from '../words.ts';

export const objectCases: readonly Case[] = [
  {
    id: 'objects/put-and-get',
    says: 'An object of up to 1 MiB is read as it was put, with its version.',
    needs: ['objects'],
    async run({ objects }) {
      for (const [index, sizeBytes] of [0, 1, 5_000, OBJECT_BYTES_MAX].entries()) {
        const name = `certificates/n_${index}.bin`;
        const bytes = pattern(sizeBytes, index);
        const { version } = await objects.put(name, bytes);
        const got = await objects.get(name);
        assert.equal(got.version, version);
        assert.equal(got.sizeBytes, sizeBytes);
        assert(got.modifiedAt instanceof Date, `modifiedAt is ${String(got.modifiedAt)}`);
        assertBytes(await readBytes(got.body, OBJECT_BYTES_MAX), bytes);
      }
    },
  },
  {
    id: 'objects/each-put-is-another-version',
    says: 'Each put gives another version.',
    needs: ['objects'],
    async run({ objects }) {
      const first = await objects.put('lock.json', pattern(10, 1));
      const second = await objects.put('lock.json', pattern(10, 2));
      assert.notEqual(first.version, second.version);
      assertBytes(await readAll(objects, 'lock.json'), pattern(10, 2));
    },
  },
  {
    id: 'objects/missing',
    says: 'An object that is not there is REPLICA_NOT_FOUND, and deleting it no failure.',
    needs: ['objects'],
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
    says: 'Ranges of objects are as those of files.',
    needs: ['objects', 'ranges'],
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
    says: 'Objects are listed in byte order, by prefix, and from a name on.',
    needs: ['objects'],
    async run({ objects, path, destination }) {
      const all = ['a', 'a-b', 'a.b', 'a/c', 'a/c-d', 'a/c/d', 'a0', 'a_b', 'b', 'generations/0/x'];
      for (const name of all.toReversed().filter(needsNoFolder))
        await objects.put(name, pattern(3, 1));
      await destination.objects?.(`${path}-b`).put('zz', pattern(3, 1));
      const expected = all.filter(needsNoFolder);
      assert.deepEqual(await listed(objects, ''), expected);
      assert.deepEqual(
        await listed(objects, 'a'),
        expected.filter((name) => name.startsWith('a')),
      );
      assert.deepEqual(await listed(objects, 'a/'), ['a/c-d', 'a/c/d']);
      assert.deepEqual(
        await listed(objects, '', 'a/c-e'),
        expected.filter((name) => name >= 'a/c-e'),
      );
      assert.deepEqual(await listed(objects, 'c'), []);
    },
  },
  {
    id: 'objects/beside-files',
    says: 'Objects and LTX files of one path are not taken for each other.',
    needs: ['objects'],
    async run({ objects, replica }) {
      await write(replica, ref(0, 1), pattern(9, 1));
      await write(replica, ref(9, 1), pattern(9, 1));
      await objects.put('lock.json', pattern(9, 1));
      assert.deepEqual(await listed(objects, ''), ['lock.json']);
      assert.deepEqual(names(await list(replica, 'all')).toSorted(), ['0/1-1', '9/1-1']);
    },
  },
  {
    id: 'objects/names',
    says: 'A name that is not allowed is REPLICA_UNSUPPORTED, and nothing is put.',
    needs: ['objects'],
    async run({ objects }) {
      const F = '0000000000000001-0000000000000001.ltx';
      const wrong = [
        '',
        '/a',
        'a/',
        'a//b',
        '../a',
        'a/./b',
        'A',
        'a b',
        `0000/${F}`,
        `ltx/0/${F}`,
      ];
      for (const name of wrong) {
        await rejectsWith(objects.put(name, pattern(9, 1)), 'REPLICA_UNSUPPORTED');
      }
      assert.deepEqual(await listed(objects, ''), []);
    },
  },
  {
    id: 'objects/if-absent',
    says: 'Of twenty puts with if-absent at once, one wins.',
    needs: ['objectsIfAbsent'],
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
    says: 'A put on a version replaces that version and no other, or is refused in words.',
    needs: ['objectsIfAbsent'],
    async run({ objects }) {
      const { version } = await objects.put('lock.json', pattern(10, 1));
      const second = await objects
        .put('lock.json', pattern(10, 2), { condition: { version } })
        .catch((error: unknown) => error);
      // A place that cannot do it says so; it does not do something else.
      if (isError(second)) {
        assert.equal(second.code, 'REPLICA_UNSUPPORTED');
        assertBytes(await readAll(objects, 'lock.json'), pattern(10, 1));
        await rejectsWith(objects.delete('lock.json', { version }), 'REPLICA_UNSUPPORTED');
        return;
      }
      const stale = objects.put('lock.json', pattern(10, 3), { condition: { version } });
      await rejectsWith(stale, 'REPLICA_CONFLICT');
      assertBytes(await readAll(objects, 'lock.json'), pattern(10, 2));
      const absent = objects.put('other.json', pattern(10, 3), { condition: { version } });
      await rejectsWith(absent, 'REPLICA_CONFLICT');
    },
  },
  {
    id: 'objects/delete-of-a-version',
    says: 'A delete of a version removes that version and no other, or is refused in words.',
    needs: ['objects'],
    async run({ notJudged, objects, saw }) {
      const first = await objects.put('lock.json', pattern(20, 1));
      const { version } = await objects.put('lock.json', pattern(20, 2));
      if (first.version === version) return notJudged('two puts have the same version');
      const stale = await objects
        .delete('lock.json', { version: first.version })
        .catch((error: unknown) => error);
      assertBytes(await readAll(objects, 'lock.json'), pattern(20, 2));
      if (isError(stale, 'REPLICA_UNSUPPORTED')) {
        const current = objects.delete('lock.json', { version });
        await rejectsWith(current, 'REPLICA_UNSUPPORTED');
        assertBytes(await readAll(objects, 'lock.json'), pattern(20, 2));
        saw('it is refused in words');
        return;
      }
      assert(isError(stale, 'REPLICA_CONFLICT'), `a stale version: ${messageOf(stale)}`);
      await objects.delete('lock.json', { version });
      assert.deepEqual(await listed(objects, ''), []);
      await rejectsWith(objects.delete('lock.json', { version }), 'REPLICA_CONFLICT');
    },
  },
];

/** A folder cannot be a file too: `a` beside `a/c`, `a/c` beside `a/c/d`. */
function needsNoFolder(name: string): boolean {
  return name !== 'a' && name !== 'a/c';
}

async function readAll(objects: NamedObjects, name: string): Promise<Uint8Array> {
  return await readBytes((await objects.get(name)).body, OBJECT_BYTES_MAX);
}

async function listed(objects: NamedObjects, prefix: string, from?: string): Promise<string[]> {
  const entries = await Array.fromAsync(objects.list(prefix, from === undefined ? {} : { from }));
  return entries.map((entry) => entry.name);
}
