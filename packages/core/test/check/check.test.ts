import { describe, expect, test } from 'vitest';

import type { Capabilities, Destination } from '../../src/store/backend.ts';
import { checkFailure, type CheckProgress } from '../../src/check/report.ts';
import { memoryDestination } from '../../src/store/memory.ts';
import { MemoryStore } from '../../src/store/memory-place.ts';
import { wrapDestination } from '../../src/replica/destination.ts';
import { ALL_WORKS, check, failing, seenOf, verdicts } from './fixtures.ts';
import { bodyOf, bytesOf, error, ref } from '../store/fixtures.ts';

describe('a destination that keeps its promises', () => {
  test.each(['bare', 'wrapped'] as const)('is found to do all of it, %s', async (form) => {
    const store = new MemoryStore();
    const inner = memoryDestination({ store });
    const destination = form === 'bare' ? inner : wrapDestination(inner);
    const report = await check(destination);
    expect(verdicts(report)).toEqual(ALL_WORKS);
    expect(report.path).toMatch(/^db\/\.sluice-check-[0-9a-f]{12}$/);
    expect(report.left).toEqual([]);
    expect(checkFailure(report)).toBeUndefined();
    expect(store.objects.size).toBe(0);
  });

  test('is measured', async () => {
    const { figures } = await check(memoryDestination());
    expect(figures.readMs).toBeGreaterThanOrEqual(0);
    expect(figures.writeMs).toBeGreaterThanOrEqual(0);
    expect(figures.upBytesPerSecond).toBeGreaterThan(0);
    expect(figures.downBytesPerSecond).toBeGreaterThan(0);
  });

  test('hears of each verdict as it falls, in the order of the report', async () => {
    const told: string[] = [];
    const report = await check(memoryDestination(), {
      onFeature: ({ feature }) => told.push(feature),
    });
    expect(told).toEqual(report.features.map(({ feature }) => feature));
    expect(told).toEqual(Object.keys(ALL_WORKS));
  });

  test.each(['db', '', 'a/b', 'db/'])('keeps what lies at "%s" as it is', async (path) => {
    const store = new MemoryStore();
    const destination = memoryDestination({ store });
    const live = destination.replica(path);
    await live.writeFile(ref(0, 1), bodyOf(bytesOf(50)));
    await live.writeFile(ref(9, 1, 6), bodyOf(bytesOf(50)));
    const before = new Map(store.objects);
    const touched = new Set<string>();
    const put = store.put.bind(store);
    store.put = (key, ...rest) => {
      touched.add(key);
      return put(key, ...rest);
    };
    await check(destination, { path });
    expect(store.objects).toEqual(before);
    expect(touched.size).toBeGreaterThan(5);
    for (const key of touched)
      expect(key).toMatch(/^(.*\/)?\.sluice-check-[0-9a-f]+\/(ltx\/[09]\/|lock\.json$)/);
  });
});

describe('what is not claimed', () => {
  test('is not judged, and not asked for', async () => {
    const report = await check(memoryDestination({ capabilities: {} }));
    expect(verdicts(report)).toEqual({
      ...ALL_WORKS,
      ranges: 'not judged',
      'if-absent': 'not judged',
      'if-absent-large': 'not judged',
      'if-version': 'not judged',
    });
    expect(seenOf(report, 'if-absent')).toBe(
      'this destination is not known to honour conditional writes: fencing is off',
    );
    expect(checkFailure(report)).toBeUndefined();
  });

  test('above a size is not judged above that size', async () => {
    const capabilities: Capabilities = { ranges: true, ifAbsent: { sizeMax: 50_000 } };
    const report = await check(memoryDestination({ capabilities }));
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, 'if-absent-large': 'not judged' });
    expect(seenOf(report, 'if-absent-large')).toBe('not claimed above 50000 bytes');
  });

  test('is told with the name of who keeps the files', async () => {
    const destination = memoryDestination({ capabilities: { ranges: true } });
    const report = await check(destination, { provider: 's3.example' });
    const known = 's3.example is not known to honour conditional writes';
    expect(seenOf(report, 'if-absent-large')).toBe(`${known}: fencing is off`);
    expect(seenOf(report, 'if-version')).toBe(`${known}: no lease can be held`);
  });

  test('of named objects is told, and nothing is asked of them', async () => {
    const destination: Destination = memoryDestination();
    delete destination.objects;
    const report = await check(destination);
    const expected = { objects: 'not judged', 'if-version': 'not judged' };
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, ...expected });
    expect(seenOf(report, 'objects')).toContain('not claimed');
  });

  test('of sizes is told by its limit', async () => {
    const capabilities: Capabilities = { ranges: true, sizeMax: 50_000 };
    const report = await check(memoryDestination({ capabilities }));
    expect(verdicts(report)['large']).toBe('not judged');
    expect(seenOf(report, 'large')).toContain('files up to 50000 bytes');
  });
});

test('an abort in the midst rejects with its reason, and removes what was written', async () => {
  const store = new MemoryStore();
  const controller = new AbortController();
  const reason = new Error('enough');
  const told: string[] = [];
  const checking = check(memoryDestination({ store }), {
    signal: controller.signal,
    onFeature: ({ feature, verdict }) => {
      told.push(`${feature} ${verdict}`);
      if (feature === 'read') controller.abort(reason);
    },
  });
  await expect(checking).rejects.toBe(reason);
  expect(told.at(-1)).toBe('delete works');
  expect(store.objects.size).toBe(0);
});

test('a place that is not there is looked for through the reader, and its parent told', async () => {
  const store = new MemoryStore();
  const destination = memoryDestination({ store });
  const missing = new Set(['backup/db']);
  const reader = readerWithout(missing);
  const removed: string[] = [];
  const removing: Destination = {
    ...destination,
    removeEmpty: async (path) => void removed.push(path),
  };
  const report = await check(removing, { reader, path: 'backup/db' });
  expect(verdicts(report)).toEqual(ALL_WORKS);
  expect(seenOf(report, 'reach')).toBe('the folder is not there yet: the first write makes it');
  expect(removed).toEqual([report.path, 'backup/db']);

  missing.add('backup');
  const gone = await check(removing, { reader, path: 'backup/db' });
  expect(checkFailure(gone)).toMatchObject({ code: 'REPLICA_DESTINATION_NOT_FOUND' });
  expect(store.objects.size).toBe(0);
});

test('a bucket that is not there is no folder that is not there yet', async () => {
  const reader = readerWithout(new Set(['db'])); // it lists its root, as MinIO does
  const report = await check(memoryDestination(), { reader });
  expect(checkFailure(report)).toMatchObject({ code: 'REPLICA_DESTINATION_NOT_FOUND' });
});

test('what is being done is told as it begins, and as bytes move', async () => {
  const told: CheckProgress[] = [];
  await check(memoryDestination(), { onProgress: (progress) => told.push(progress) });
  expect([...new Set(told.map(({ feature }) => feature))]).toEqual(Object.keys(ALL_WORKS));
  const large = told.filter(({ feature }) => feature === 'large');
  const moved = large.map(({ doneBytes }) => doneBytes);
  expect(moved[0]).toBe(0);
  expect(moved.at(-1)).toBe(large[0]?.totalBytes);
  expect(moved).toEqual(moved.toSorted((a, b) => a - b));
});

test('a folder that stays is told', async () => {
  const destination: Destination = {
    ...memoryDestination(),
    removeEmpty: async () => await Promise.reject(error('REPLICA_PERMISSION_DENIED')),
  };
  const report = await check(destination);
  expect(report.left).toEqual([`the folder ${report.path}`]);
  expect(verdicts(report)['delete']).toBe('does not');
});

function readerWithout(missing: ReadonlySet<string>): Destination {
  const inner = memoryDestination();
  return {
    ...inner,
    replica: (path) => ({
      ...inner.replica(path),
      listFiles: (level, options) =>
        missing.has(path)
          ? failing(error('REPLICA_DESTINATION_NOT_FOUND'))
          : inner.replica(path).listFiles(level, options),
    }),
  };
}
