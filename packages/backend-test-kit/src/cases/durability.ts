/** Durability, tested with child processes: data that is only in the memory of one process does not count. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import { CLOSE_MS_MAX } from '@sluice/core/backend';

import type { Case } from '../case.ts';
import type { CaseContext } from '../context.ts';
import {
  listInOtherProcess,
  OtherProcess,
  type Action,
  type ListedFile,
} from '../other-process.ts';
import type { OtherProcessConfig } from '../subject.ts';
import { readIfPresent, names, pattern, read, assertBytes, ref, write } from '../helpers.ts';

const SIZE_BYTES = 250_000;
const SEED = 11;
const common = { needs: ['otherProcess'], layers: ['bare'] } as const;

export const durabilityCases: readonly Case[] = [
  {
    ...common,
    id: 'durability/another-process-reads-it',
    promise: 'An acknowledged write can be read by an unrelated process.',
    async run(context) {
      const { path, replica, note } = context;
      const files = [ref(0, 1), ref(0, 2), ref(9, 1, 2)];
      const expected: ListedFile[] = [];
      for (const [index, file] of files.entries()) {
        const bytes = pattern(SIZE_BYTES + index, index);
        await write(replica, file, bytes);
        expected.push(listedFile(names([file]).join(), bytes));
      }
      const listed = await listInOtherProcess(otherProcessConfig(context), path);
      assert.deepEqual(byName(listed), byName(expected));
      note(`${listed.length} files in another process`);
    },
  },
  {
    ...common,
    id: 'durability/outlives-a-kill',
    promise: 'An acknowledged write survives if its process is killed immediately afterwards.',
    async run(context) {
      {
        await using writer = start(context, 'write');
        assert.equal(await writer.firstMessage(), 'done');
        await writer.kill();
      }
      const bytes = pattern(SIZE_BYTES, SEED);
      const listed = await listInOtherProcess(otherProcessConfig(context), context.path);
      assert.deepEqual(listed, [listedFile(names([ref(0, 1)]).join(), bytes)]);
      assertBytes(await read(context.replica, ref(0, 1)), bytes);
    },
  },
  {
    ...common,
    id: 'durability/a-killed-write-leaves-what-was-there',
    promise: 'A process killed during a write leaves the old file intact.',
    async run(context) {
      const { path, replica } = context;
      for (const before of ['none', pattern(1_234, 1)] as const) {
        if (before !== 'none') await write(replica, ref(0, 1), before);
        await using writer = start(context, 'write-half');
        assert.equal(await writer.firstMessage(), 'done');
        await writer.kill();
        assertBytes(await readIfPresent(replica, ref(0, 1)), before);
        const listed = await listInOtherProcess(otherProcessConfig(context), path);
        assert.deepEqual(
          listed,
          before === 'none' ? [] : [listedFile(names([ref(0, 1)]).join(), before)],
        );
      }
    },
  },
  {
    ...common,
    id: 'durability/a-closed-destination-lets-the-process-end',
    promise: 'A process exits by itself after its clients are closed.',
    async run(context) {
      await using other = start(context, 'close');
      assert.equal(await other.firstMessage(), 'done');
      assert.equal(await other.waitForExit(CLOSE_MS_MAX), 0, 'exit code after close()');
    },
  },
];

function otherProcessConfig({ setup }: CaseContext): OtherProcessConfig {
  assert(setup.otherProcess !== undefined, 'the setup has the hook otherProcess');
  return setup.otherProcess;
}

function start(context: CaseContext, action: Action): OtherProcess {
  const { path } = context;
  return new OtherProcess({
    ...otherProcessConfig(context),
    action,
    path,
    sizeBytes: SIZE_BYTES,
    seed: SEED,
  });
}

function listedFile(name: string, bytes: Uint8Array): ListedFile {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { name, sizeBytes: bytes.byteLength, sha256 };
}

function byName(files: readonly ListedFile[]): ListedFile[] {
  return files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
