import { describe, expect, onTestFinished, test, vi } from 'vitest';

import type { ErrorCode } from '../../src/error.ts';
import { connectionFailure } from '../../src/check/errors.ts';
import { checkFailure } from '../../src/check/report.ts';
import type { Files } from '../support/files-view.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import {
  ALL_WORKS,
  check,
  cut,
  empty,
  failing,
  flipped,
  memoryThat,
  PART_BYTES,
  seenOf,
  verdicts,
  type Change,
} from './fixtures.ts';
import { error } from '../store/fixtures.ts';

describe('conditional writes', () => {
  const isLarge = (sizeBytes: number): boolean => sizeBytes > PART_BYTES;

  test.each([
    ['all sizes', () => true, ['if-absent', 'if-absent-large']],
    ['small files', (size: number) => !isLarge(size), ['if-absent']],
    ['files in parts', isLarge, ['if-absent-large']],
  ] as const)('that are ignored for %s are detected', async (_, isIgnored, features) => {
    const report = await check(
      memoryThat((client) => ({
        writeFile: (file, body, { condition, signal } = {}) =>
          client.writeFile(
            file,
            body,
            isIgnored(body.sizeBytes) ? { signal } : { condition, signal },
          ),
      })),
    );
    const expected = Object.fromEntries(features.map((feature) => [feature, 'does not']));
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, ...expected });
    for (const feature of features) {
      expect(seenOf(report, feature)).toBe(
        'this server ignores conditional writes: fencing is off',
      );
    }
    expect(checkFailure(report)).toBeUndefined();
  });

  test('that the server does not support are reported', async () => {
    const report = await check(
      memoryThat((client) => ({
        async writeFile(file, body, options) {
          if (options?.condition === 'if-absent')
            throw error('REPLICA_UNSUPPORTED', { status: 501 });
          return await client.writeFile(file, body, options);
        },
      })),
    );
    expect(verdicts(report)).toMatchObject({
      'if-absent': 'does not',
      'if-absent-large': 'does not',
    });
    expect(seenOf(report, 'if-absent')).toContain(
      'this server does not support conditional writes',
    );
  });

  test('that are refused but done anyway are reported', async () => {
    const report = await check(
      memoryThat((client) => ({
        async writeFile(file, body, { condition, ...options } = {}) {
          const there = await Array.fromAsync(client.listFiles(file.level, { from: file.minTXID }));
          const info = await client.writeFile(file, body, options);
          const isThere = there.some(({ maxTXID }) => maxTXID === file.maxTXID);
          if (condition === 'if-absent' && isThere) throw error('REPLICA_CONFLICT');
          return info;
        },
      })),
    );
    expect(seenOf(report, 'if-absent')).toBe('a conditional write is refused, but done anyway');
  });

  test('of a new name that are refused are reported', async () => {
    const report = await check(
      memoryThat((client) => ({
        async writeFile(file, body, options) {
          if (options?.condition === 'if-absent') throw error('REPLICA_CONFLICT');
          return await client.writeFile(file, body, options);
        },
      })),
    );
    expect(verdicts(report)['if-absent']).toBe('does not');
    expect(seenOf(report, 'if-absent')).toBe('a conditional write of a new name is refused');
  });

  test('whose first response was lost are not mistaken for a refusal', async () => {
    let writes = 0;
    const report = await check(
      memoryThat((client) => ({
        async writeFile(file, body, options) {
          const info = await client.writeFile(file, body, options);
          if (options?.condition !== 'if-absent') return info;
          writes += 1;
          throw error('REPLICA_CONFLICT'); // from the attempt after the lost one
        },
      })),
    );
    expect(writes).toBe(2);
    expect(verdicts(report)).toEqual(ALL_WORKS);
  });
});

describe('a broken destination', () => {
  test.each<[string, Change, string]>([
    ['does not list written files', () => ({ listFiles: () => empty() }), 'list'],
    [
      'returns wrong bytes',
      (client) => ({
        async openFile(file, options) {
          const opened = await client.openFile(file, options);
          return { ...opened, body: flipped(opened.body, 0) };
        },
      }),
      'read',
    ],
    [
      'returns fewer bytes',
      (client) => ({
        async openFile(file, options) {
          const opened = await client.openFile(file, options);
          return { ...opened, body: cut(opened.body, 1_000) };
        },
      }),
      'read',
    ],
    [
      'ignores ranges',
      (client) => ({ openFile: async (file) => await client.openFile(file) }),
      'ranges',
    ],
    [
      'mixes up parts',
      (client) => ({
        async openFile(file, options) {
          const opened = await client.openFile(file, options);
          return {
            ...opened,
            body: opened.sizeBytes > PART_BYTES ? flipped(opened.body, 1) : opened.body,
          };
        },
      }),
      'large',
    ],
  ])('that %s fails that probe', async (_, change, feature) => {
    const store = new MemoryStore();
    const report = await check(memoryThat(change, { store }));
    expect(checkFailure(report)?.feature).toBe(feature);
    expect(checkFailure(report)?.next).toBeDefined();
    expect(store.objects.size).toBe(0);
  });

  test('has no verdict on features that depend on the broken one', async () => {
    const report = await check(
      memoryThat(() => ({ writeFile: async () => await Promise.reject(error('REPLICA_FULL')) })),
    );
    expect(verdicts(report)).toEqual({
      ...Object.fromEntries(Object.keys(ALL_WORKS).map((feature) => [feature, 'not judged'])),
      reach: 'works',
      write: 'does not',
    });
    expect(seenOf(report, 'read')).toBe('cannot be tested without write');
  });

  test.each<[ErrorCode, string]>([
    ['REPLICA_DESTINATION_NOT_FOUND', 'the bucket or folder does not exist'],
    ['REPLICA_UNAVAILABLE', 'cannot be reached'],
    ['REPLICA_UNAUTHENTICATED', 'a fault of the test'],
  ])('with %s gets no further requests', async (code, words) => {
    let calls = 0;
    const refuse = async (): Promise<never> => {
      calls += 1;
      throw error(code);
    };
    const report = await check(
      memoryThat(() => ({
        listFiles: () => failing(error(code)),
        writeFile: refuse,
        openFile: refuse,
        deleteFiles: refuse,
      })),
    );
    expect(checkFailure(report)).toMatchObject({ feature: 'reach', code });
    expect(seenOf(report, 'reach')).toContain(words);
    expect(calls).toBe(0);
    expect(report.left).toEqual([]);
  });
});

describe('denied access', () => {
  const denied = error('REPLICA_PERMISSION_DENIED');
  const deny = async (): Promise<never> => await Promise.reject(denied);

  test.each<[string, Change, string]>([
    ['list', () => ({ listFiles: () => failing(denied) }), 'list'],
    ['read', () => ({ openFile: deny }), 'read'],
    ['write', () => ({ writeFile: deny }), 'write'],
    ['delete', () => ({ deleteFiles: deny }), 'delete'],
  ])('to %s names the missing right', async (right, change, feature) => {
    const report = await check(memoryThat(change));
    const named = report.features.filter(({ missing }) => missing !== undefined);
    expect(named.map(({ feature: of, missing }) => [of, missing])).toEqual([[feature, right]]);
    expect(named[0]?.seen).toContain(`the right to ${right} is missing`);
  });

  test('to delete is not a failure, and names the leftover files', async () => {
    const store = new MemoryStore();
    const report = await check(memoryThat(() => ({ deleteFiles: deny }), { store }));
    expect(checkFailure(report)).toBeUndefined();
    expect(report.left.toSorted()).toEqual([...store.objects.keys()].toSorted());
    const first = 'ltx/0/0000000000000001-0000000000000001.ltx';
    expect(seenOf(report, 'delete')).toContain(`; left in ${report.path}: ${first}, `);
  });

  test('to write leaves no files, and reports none', async () => {
    const report = await check(memoryThat(() => ({ writeFile: deny, deleteFiles: deny })));
    expect(seenOf(report, 'delete')).toBe('there is nothing to delete');
    expect(report.left).toEqual([]);
  });

  test('to delete one file names this file', async () => {
    const report = await check(
      memoryThat((client) => ({
        async deleteFiles(files) {
          await client.deleteFiles(files.slice(1));
          throw denied;
        },
      })),
    );
    expect(report.left).toEqual([`${report.path}/ltx/0/0000000000000001-0000000000000001.ltx`]);
  });

  test('to list and delete reports all files that may be left', async () => {
    const change = (): Partial<Files> => ({
      listFiles: () => failing(denied),
      deleteFiles: deny,
    });
    const report = await check(memoryThat(change));
    expect(seenOf(report, 'delete')).toContain('files may be left in');
    expect(report.left.length).toBeGreaterThan(5);
  });
});

test('a delete that succeeds without deleting is detected', async () => {
  const report = await check(memoryThat(() => ({ deleteFiles: async () => undefined })));
  expect(verdicts(report)).toEqual({ ...ALL_WORKS, delete: 'does not' });
  expect(seenOf(report, 'delete')).toContain('reported as done, but still there');
  expect(report.left.length).toBeGreaterThan(5);
});

test('a file that is listed briefly after its deletion is not reported as left', async () => {
  let stale = 2;
  const store = new MemoryStore();
  const report = await check(
    memoryThat(
      (client) => {
        const before: Awaited<ReturnType<Files['writeFile']>>[] = [];
        return {
          async writeFile(...given) {
            const info = await client.writeFile(...given);
            if (before.length === 0) before.push(info);
            return info;
          },
          async *listFiles(...given) {
            const files = await Array.fromAsync(client.listFiles(...given));
            if (files.length > 0 || before.length === 0 || stale === 0) yield* files;
            else {
              stale -= 1;
              yield* before;
            }
          },
        };
      },
      { store },
    ),
  );
  expect(stale).toBe(0);
  expect(verdicts(report)).toEqual(ALL_WORKS);
});

test('a destination that never responds is given up', async () => {
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
    const controller = new AbortController();
    if (ms === 40_000) setImmediate(() => controller.abort());
    return controller.signal;
  });
  onTestFinished(() => void vi.restoreAllMocks());
  const report = await check(
    memoryThat(() => ({ listFiles: (_, { signal } = {}) => silent(signal) })),
  );
  expect(checkFailure(report)).toMatchObject({ feature: 'reach', code: 'REPLICA_UNAVAILABLE' });
  expect(seenOf(report, 'reach')).toBe('cannot be reached: memory://: no response in 40 s');
});

/** Ends only with the signal. */
async function* silent(signal: AbortSignal | undefined): AsyncGenerator<never, void, undefined> {
  yield await new Promise<never>((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

test('without a connection, only reach has a verdict', () => {
  const report = connectionFailure('sftp://host', 'db', error('REPLICA_HOST_UNTRUSTED'));
  expect(verdicts(report)).toEqual({
    ...Object.fromEntries(Object.keys(ALL_WORKS).map((feature) => [feature, 'not judged'])),
    reach: 'does not',
  });
  expect(checkFailure(report)?.code).toBe('REPLICA_HOST_UNTRUSTED');
});
