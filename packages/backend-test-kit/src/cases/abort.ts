import assert from 'node:assert/strict';

import type { Case } from '../case.ts';
import {
  assertAtMost,
  assertBytes,
  bodyOf,
  bodyWithAction,
  readIfPresent,
  list,
  pattern,
  read,
  ref,
  write,
} from '../helpers.ts';

/** Contract rule 3: an aborted call rejects within one second. The rest is for busy machines. */
const ABORT_MS_MAX = 1_500;
const FILE = ref(2, 1, 4);

export const abortCases: readonly Case[] = [
  {
    id: 'abort/before-touches-nothing',
    promise: 'A call whose signal is already aborted rejects with the reason and has no effect.',
    async run({ replica }) {
      const bytes = pattern(5_000, 1);
      await write(replica, FILE, bytes);
      const reason = new Error('not wanted');
      const signal = AbortSignal.abort(reason);
      let opened = 0;
      const body = { ...bodyOf(bytes), open: () => ((opened += 1), bodyOf(bytes).open()) };
      await assert.rejects(replica.writeFile(ref(2, 9), body, { signal }), (e) => e === reason);
      await assert.rejects(replica.openFile(FILE, { signal }), (e) => e === reason);
      await assert.rejects(replica.deleteFiles([FILE], { signal }), (e) => e === reason);
      const listing = Array.fromAsync(replica.listFiles(2, { signal }));
      await assert.rejects(listing, (e) => e === reason);
      assert.equal(opened, 0, 'times the source was opened');
      assert.equal((await list(replica, 2)).length, 1);
      assertBytes(await read(replica, FILE), bytes);
    },
  },
  {
    id: 'abort/a-write-keeps-the-old',
    promise: 'A write aborted at any chunk rejects with the reason and keeps the old file.',
    sizeBytes: ({ partSizeBytes }) => Math.max(300_000, 2 * partSizeBytes + 9),
    async run({ subject, replica }) {
      const old = pattern(1_234, 1);
      for (const sizeBytes of [300_000, 2 * subject.partSizeBytes + 9]) {
        const bytes = pattern(sizeBytes, 2);
        for (const before of ['none', old] as const) {
          for (const index of [0, 1, 3, 'end'] as const) {
            await replica.deleteFiles([FILE]);
            if (before !== 'none') await write(replica, FILE, before);
            const { abort, signal, rejected } = aborting();
            await rejected(
              replica.writeFile(FILE, bodyWithAction(bytes, index, abort), { signal }),
            );
            assertBytes(await readIfPresent(replica, FILE), before);
          }
        }
      }
    },
  },
  {
    id: 'abort/a-write-whose-source-hangs',
    promise: 'A write can be aborted while its source hangs.',
    async run({ replica }) {
      await write(replica, FILE, pattern(9, 1));
      const { abort, signal, rejected } = aborting();
      const hang = async (): Promise<void> => {
        setTimeout(abort, 20);
        await new Promise(() => undefined);
      };
      await rejected(
        replica.writeFile(FILE, bodyWithAction(pattern(300_000, 2), 2, hang), { signal }),
      );
      assertBytes(await readIfPresent(replica, FILE), pattern(9, 1));
    },
  },
  {
    id: 'abort/at-any-moment-old-or-new',
    promise: 'After an abort at any time, a key holds the old object or the new one.',
    async run({ random, replica }) {
      let current = pattern(70_000, 0);
      await write(replica, FILE, current);
      for (let round = 1; round <= 25; round += 1) {
        const next = pattern(70_000 + round, round);
        const controller = new AbortController();
        const reason = new Error('not wanted');
        setTimeout(() => controller.abort(reason), random() * 8);
        const { signal } = controller;
        const failure: unknown = await replica
          .writeFile(FILE, bodyOf(next), { signal })
          .then(() => undefined)
          .catch((error: unknown) => error);
        const found = await readIfPresent(replica, FILE);
        if (failure === undefined) assertBytes(found, next);
        else assert.equal(failure, reason);
        const isOld = found !== 'none' && Buffer.compare(found, current) === 0;
        if (!isOld) assertBytes(found, next);
        current = isOld ? current : next;
        // The aborted write must not take effect after the next write.
        if (failure !== undefined) await write(replica, FILE, current);
      }
    },
  },
  {
    id: 'abort/a-read',
    promise:
      'The body of a large file has several chunks, and the read can be aborted between them.',
    sizeBytes: 5_000_000,
    async run({ replica }) {
      const bytes = pattern(5_000_000, 1);
      await write(replica, FILE, bytes);
      const { abort, signal, rejected } = aborting();
      const { body } = await replica.openFile(FILE, { signal });
      let sizeBytes = 0;
      const reading = async (): Promise<void> => {
        for await (const chunk of body) {
          sizeBytes += chunk.byteLength;
          abort();
        }
      };
      await rejected(reading());
      assertAtMost(sizeBytes, bytes.byteLength - 1, 'bytes read');
      assertBytes(await read(replica, FILE), bytes);
    },
  },
  {
    id: 'abort/a-listing',
    promise: 'A listing can be aborted between files.',
    async run({ replica }) {
      for (const txid of [1, 2, 3]) await write(replica, ref(0, txid), pattern(9, 1));
      const { abort, signal, rejected } = aborting();
      const listing = async (): Promise<void> => {
        for await (const _ of replica.listFiles(0, { signal })) abort();
      };
      await rejected(listing());
      assert.equal((await list(replica, 0)).length, 3);
    },
  },
  {
    id: 'abort/a-finished-call-is-left-alone',
    promise: 'An abort after the call has ended has no effect.',
    async run({ replica }) {
      const controller = new AbortController();
      const { signal } = controller;
      await replica.writeFile(FILE, bodyOf(pattern(9, 1)), { signal });
      controller.abort(new Error('too late'));
      assertBytes(await read(replica, FILE), pattern(9, 1));
    },
  },
];

interface Aborting {
  readonly signal: AbortSignal;
  readonly abort: () => void;
  /** Checks that `work` rejects with the reason soon after the abort. */
  readonly rejected: (work: Promise<unknown>) => Promise<void>;
}

function aborting(): Aborting {
  const controller = new AbortController();
  const reason = new Error('not wanted any more');
  let abortedAt = 0;
  return {
    signal: controller.signal,
    abort() {
      abortedAt ||= performance.now();
      controller.abort(reason);
    },
    async rejected(work) {
      await assert.rejects(work, (error) => error === reason);
      const tookMs = performance.now() - abortedAt;
      assertAtMost(tookMs, ABORT_MS_MAX, 'ms from the abort to the rejection');
    },
  };
}
