/** What is there when a process is gone: judged by others, so that memory is not taken for a disk. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import { CLOSE_MS_MAX } from '@sluice/core/backend';

import type { Case } from '../case.ts';
import type { CaseContext } from '../context.ts';
import { lookElsewhere, OtherProcess, type Act, type Seen } from '../elsewhere.ts';
import type { Elsewhere } from '../subject.ts';
import { held, names, pattern, read, assertBytes, ref, write } from '../words.ts';

const SIZE_BYTES = 250_000;
const SEED = 11;
const common = { needs: ['elsewhere'], layers: ['bare'] } as const;

export const durabilityCases: readonly Case[] = [
  {
    ...common,
    id: 'durability/another-process-reads-it',
    says: 'What a write has answered for is read by a process that knows nothing of this one.',
    async run(context) {
      const { path, replica, saw } = context;
      const files = [ref(0, 1), ref(0, 2), ref(9, 1, 2)];
      const expected: Seen[] = [];
      for (const [index, file] of files.entries()) {
        const bytes = pattern(SIZE_BYTES + index, index);
        await write(replica, file, bytes);
        expected.push(seenAs(names([file]).join(), bytes));
      }
      const seen = await lookElsewhere(elsewhereOf(context), path);
      assert.deepEqual(byName(seen), byName(expected));
      saw(`${seen.length} files in another process`);
    },
  },
  {
    ...common,
    id: 'durability/outlives-a-kill',
    says: 'What a write has answered for outlives the death of its process a moment later.',
    async run(context) {
      {
        await using writer = start(context, 'write');
        assert.equal(await writer.said(), 'done');
        await writer.kill();
      }
      const bytes = pattern(SIZE_BYTES, SEED);
      const seen = await lookElsewhere(elsewhereOf(context), context.path);
      assert.deepEqual(seen, [seenAs('0/1-1', bytes)]);
      assertBytes(await read(context.replica, ref(0, 1)), bytes);
    },
  },
  {
    ...common,
    id: 'durability/a-killed-write-leaves-what-was-there',
    says: 'A process that is killed in the midst of a write leaves what was there, whole.',
    async run(context) {
      const { path, replica } = context;
      for (const before of ['none', pattern(1_234, 1)] as const) {
        if (before !== 'none') await write(replica, ref(0, 1), before);
        await using writer = start(context, 'write-half');
        assert.equal(await writer.said(), 'done');
        await writer.kill();
        assertBytes(await held(replica, ref(0, 1)), before);
        const seen = await lookElsewhere(elsewhereOf(context), path);
        assert.deepEqual(seen, before === 'none' ? [] : [seenAs('0/1-1', before)]);
      }
    },
  },
  {
    ...common,
    id: 'durability/a-closed-destination-lets-the-process-end',
    says: 'A process whose destinations are closed ends by itself.',
    async run(context) {
      await using other = start(context, 'close');
      assert.equal(await other.said(), 'done');
      assert.equal(await other.ended(CLOSE_MS_MAX), 0, 'exit code after close()');
    },
  },
];

function elsewhereOf({ setup }: CaseContext): Elsewhere {
  assert(setup.elsewhere !== undefined, 'the set-up says how another process gets there');
  return setup.elsewhere;
}

function start(context: CaseContext, act: Act): OtherProcess {
  const { path } = context;
  return new OtherProcess({
    ...elsewhereOf(context),
    act,
    path,
    sizeBytes: SIZE_BYTES,
    seed: SEED,
  });
}

function seenAs(name: string, bytes: Uint8Array): Seen {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { name, sizeBytes: bytes.byteLength, sha256 };
}

function byName(seen: readonly Seen[]): Seen[] {
  return seen.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
