import { describe, expect, test } from 'vitest';

import { Replica } from '../../src/replica/replica.ts';
import type { Capabilities, ReplicaClient } from '../../src/store/client.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';
import { checkFailure, type CheckProgress } from '../../src/check/report.ts';
import { plain } from '../support/files-view.ts';
import { ALL_WORKS, check, failing, seenOf, verdicts } from './fixtures.ts';
import { bodyOf, bytesOf, error, ref } from '../store/fixtures.ts';

describe('a destination that keeps its promises', () => {
  test('is found to do all of it', async () => {
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

  test('hears of each verdict as it falls, in the order of the report', async () => {
    const told: string[] = [];
    const report = await check(memoryClient(), {
      onFeature: ({ feature }) => told.push(feature),
    });
    expect(told).toEqual(report.features.map(({ feature }) => feature));
    expect(told).toEqual(Object.keys(ALL_WORKS));
  });

  test.each(['db', '', 'a/b', 'db/'])('keeps what lies at "%s" as it is', async (path) => {
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

describe('what is not claimed', () => {
  test('is not judged, and not asked for', async () => {
    const report = await check(memoryClient({ capabilities: {} }));
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
    const capabilities: Capabilities = {
      ranges: true,
      versions: true,
      conditions: { sizeMax: 50_000 },
    };
    const report = await check(memoryClient({ capabilities }));
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, 'if-absent-large': 'not judged' });
    expect(seenOf(report, 'if-absent-large')).toBe('not claimed above 50000 bytes');
  });

  test('is told with the name of who keeps the files', async () => {
    const client = memoryClient({ capabilities: { ranges: true } });
    const report = await check(client, { provider: 's3.example' });
    const known = 's3.example is not known to honour conditional writes';
    expect(seenOf(report, 'if-absent-large')).toBe(`${known}: fencing is off`);
    expect(seenOf(report, 'if-version')).toBe(`${known}: no lease can be held`);
  });

  test('of versions is told, and no lease is tried', async () => {
    const { versions: _, ...capabilities } = memoryClient().capabilities;
    const report = await check(memoryClient({ capabilities }), { provider: 'kv.example' });
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, 'if-version': 'not judged' });
    expect(seenOf(report, 'if-version')).toBe(
      'not claimed: kv.example knows no conditions on versions, so no lease can be held',
    );
  });

  test('of sizes is told by its limit', async () => {
    const capabilities: Capabilities = { ranges: true, sizeMax: 50_000 };
    const report = await check(memoryClient({ capabilities }));
    expect(verdicts(report)['large']).toBe('not judged');
    expect(seenOf(report, 'large')).toContain('files up to 50000 bytes');
  });
});

test('an abort in the midst rejects with its reason, and removes what was written', async () => {
  const store = new MemoryStore();
  const controller = new AbortController();
  const reason = new Error('enough');
  const told: string[] = [];
  const checking = check(memoryClient({ store }), {
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

describe('a folder that is not there', () => {
  const NOT_FOUND = 'REPLICA_DESTINATION_NOT_FOUND';

  test('and that the first write makes is told, and removed again', async () => {
    const store = new MemoryStore();
    const client = memoryClient({ store });
    const reader = folders(failingAt(() => error(NOT_FOUND, { isNew: true })));
    const report = await check(client, { reader, path: 'backup/db' });
    expect(verdicts(report)).toEqual(ALL_WORKS);
    expect(seenOf(report, 'reach')).toBe('the folder is not there yet: the first write makes it');
    expect(store.objects.size).toBe(0);
  });

  test('and that may be lost is a failure', async () => {
    const reader = folders(failingAt(() => error(NOT_FOUND)));
    const report = await check(memoryClient(), { reader });
    expect(checkFailure(report)).toMatchObject({ feature: 'reach', code: NOT_FOUND });
  });
});

test('what is being done is told as it begins, and as bytes move', async () => {
  const told: CheckProgress[] = [];
  await check(memoryClient(), { onProgress: (progress) => told.push(progress) });
  expect([...new Set(told.map(({ feature }) => feature))]).toEqual(Object.keys(ALL_WORKS));
  const large = told.filter(({ feature }) => feature === 'large');
  const moved = large.map(({ doneBytes }) => doneBytes);
  expect(moved[0]).toBe(0);
  expect(moved.at(-1)).toBe(large[0]?.totalBytes);
  expect(moved).toEqual(moved.toSorted((a, b) => a - b));
});

test('a folder that stays is told', async () => {
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
