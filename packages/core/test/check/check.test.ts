import { describe, expect, test } from 'vitest';

import { Replica } from '../../src/replica/replica.ts';
import type { Capabilities, ReplicaClient } from '../../src/store/client.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';
import { checkFailure, type CheckProgress } from '../../src/check/report.ts';
import { plain } from '../support/files-view.ts';
import { ALL_WORKS, check, failing, seenOf, verdicts } from './fixtures.ts';
import { bodyOf, bytesOf, error, ref } from '../store/fixtures.ts';

describe('a correct destination', () => {
  test('passes every test', async () => {
    const store = new MemoryStore();
    const report = await check(memoryClient({ store }));
    expect(verdicts(report)).toEqual(ALL_WORKS);
    expect(report.path).toMatch(/^db\/\.sluice-check-[0-9a-f]{12}$/);
    expect(report.left).toEqual([]);
    expect(checkFailure(report)).toBeUndefined();
    expect(store.objects.size).toBe(0);
  });

  test('is measured', async () => {
    const { figures } = await check(memoryClient());
    expect(figures.readMs).toBeGreaterThanOrEqual(0);
    expect(figures.writeMs).toBeGreaterThanOrEqual(0);
    expect(figures.upBytesPerSecond).toBeGreaterThan(0);
    expect(figures.downBytesPerSecond).toBeGreaterThan(0);
  });

  test('reports each verdict immediately, in the order of the report', async () => {
    const reported: string[] = [];
    const report = await check(memoryClient(), {
      onFeature: ({ feature }) => reported.push(feature),
    });
    expect(reported).toEqual(report.features.map(({ feature }) => feature));
    expect(reported).toEqual(Object.keys(ALL_WORKS));
  });

  test.each(['db', '', 'a/b', 'db/'])('keeps all files at "%s" unchanged', async (path) => {
    const store = new MemoryStore();
    const client = memoryClient({ store });
    const live = new Replica(client, path);
    await live.writeFile(ref(0, 1), bodyOf(bytesOf(50)));
    await live.writeFile(ref(9, 1, 6), bodyOf(bytesOf(50)));
    const before = new Map(store.objects);
    const touched = new Set<string>();
    const put = store.put.bind(store);
    store.put = (key, ...rest) => {
      touched.add(key);
      return put(key, ...rest);
    };
    await check(client, { path });
    expect(store.objects).toEqual(before);
    expect(touched.size).toBeGreaterThan(5);
    for (const key of touched)
      expect(key).toMatch(/^(.*\/)?\.sluice-check-[0-9a-f]+\/(ltx\/[09]\/|lock\.json$)/);
  });
});

describe('an unclaimed capability', () => {
  test('is not judged and not tested', async () => {
    const report = await check(memoryClient({ capabilities: {} }));
    expect(verdicts(report)).toEqual({
      ...ALL_WORKS,
      ranges: 'not judged',
      'if-absent': 'not judged',
      'if-absent-large': 'not judged',
      'if-version': 'not judged',
    });
    expect(seenOf(report, 'if-absent')).toBe(
      'this destination is not known to honor conditional writes: fencing is off',
    );
    expect(checkFailure(report)).toBeUndefined();
  });

  test('for large files only is not judged for large files only', async () => {
    const capabilities: Capabilities = {
      ranges: true,
      versions: true,
      conditions: { sizeMax: 50_000 },
    };
    const report = await check(memoryClient({ capabilities }));
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, 'if-absent-large': 'not judged' });
    expect(seenOf(report, 'if-absent-large')).toBe('not claimed above 50000 bytes');
  });

  test('is reported with the name of the provider', async () => {
    const client = memoryClient({ capabilities: { ranges: true } });
    const report = await check(client, { provider: 's3.example' });
    const known = 's3.example is not known to honor conditional writes';
    expect(seenOf(report, 'if-absent-large')).toBe(`${known}: fencing is off`);
    expect(seenOf(report, 'if-version')).toBe(`${known}: no lease can be held`);
  });

  test('for versions is reported, and no lease is tried', async () => {
    const { versions: _, ...capabilities } = memoryClient().capabilities;
    const report = await check(memoryClient({ capabilities }), { provider: 'kv.example' });
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, 'if-version': 'not judged' });
    expect(seenOf(report, 'if-version')).toBe(
      'not claimed: kv.example does not support conditions on versions: no lease can be held',
    );
  });

  test('for large files is reported with the size limit', async () => {
    const capabilities: Capabilities = { ranges: true, sizeMax: 50_000 };
    const report = await check(memoryClient({ capabilities }));
    expect(verdicts(report)['large']).toBe('not judged');
    expect(seenOf(report, 'large')).toContain('files are limited to 50000 bytes');
  });
});

test('an abort during the check rejects with its reason, and the files are deleted', async () => {
  const store = new MemoryStore();
  const controller = new AbortController();
  const reason = new Error('enough');
  const reported: string[] = [];
  const checking = check(memoryClient({ store }), {
    signal: controller.signal,
    onFeature: ({ feature, verdict }) => {
      reported.push(`${feature} ${verdict}`);
      if (feature === 'read') controller.abort(reason);
    },
  });
  await expect(checking).rejects.toBe(reason);
  expect(reported.at(-1)).toBe('delete works');
  expect(store.objects.size).toBe(0);
});

describe('a missing folder', () => {
  const NOT_FOUND = 'REPLICA_DESTINATION_NOT_FOUND';

  test('that the first write creates is reported, and removed again', async () => {
    const store = new MemoryStore();
    const client = memoryClient({ store });
    const reader = folders(failingAt(() => error(NOT_FOUND, { isNew: true })));
    const report = await check(client, { reader, path: 'backup/db' });
    expect(verdicts(report)).toEqual(ALL_WORKS);
    expect(seenOf(report, 'reach')).toBe(
      'the folder does not exist yet: the first write creates it',
    );
    expect(store.objects.size).toBe(0);
  });

  test('that may have been lost is a failure', async () => {
    const reader = folders(failingAt(() => error(NOT_FOUND)));
    const report = await check(memoryClient(), { reader });
    expect(checkFailure(report)).toMatchObject({ feature: 'reach', code: NOT_FOUND });
  });
});

test('progress is reported when a probe begins, and as bytes are transferred', async () => {
  const reported: CheckProgress[] = [];
  await check(memoryClient(), { onProgress: (progress) => reported.push(progress) });
  expect([...new Set(reported.map(({ feature }) => feature))]).toEqual(Object.keys(ALL_WORKS));
  const large = reported.filter(({ feature }) => feature === 'large');
  const moved = large.map(({ doneBytes }) => doneBytes);
  expect(moved[0]).toBe(0);
  expect(moved.at(-1)).toBe(large[0]?.totalBytes);
  expect(moved).toEqual(moved.toSorted((a, b) => a - b));
});

test('a folder that cannot be removed is reported', async () => {
  const reader = folders(memoryClient()); // it finds every folder
  const report = await check(memoryClient(), { reader });
  expect(report.left).toEqual([`the folder ${report.path}`]);
  expect(verdicts(report)['delete']).toBe('does not');
});

function folders(client: ReplicaClient): ReplicaClient {
  return { ...plain(client), capabilities: { ...client.capabilities, folders: true } };
}

function failingAt(reason: () => Error): ReplicaClient {
  return { ...plain(memoryClient()), list: () => failing(reason()) };
}
