import { describe, expect, test } from 'vitest';

import { isError, type ErrorCode } from '../../src/error.ts';
import type { Capabilities, Destination } from '../../src/replica/backend.ts';
import { checkDestination, type CheckOptions } from '../../src/replica/check.ts';
import { checkFailure, type CheckReport } from '../../src/replica/check-report.ts';
import type { ReplicaClient } from '../../src/replica/client.ts';
import { memoryDestination } from '../../src/replica/memory.ts';
import { MemoryStore } from '../../src/replica/memory-place.ts';
import { wrapDestination } from '../../src/replica/wrap.ts';
import { bodyOf, bytesOf, error, ref } from './fixtures.ts';

const PART_BYTES = 100_000;
/** Waiting costs nothing here. */
const clock = {
  now: () => 1_700_000_000_000,
  after(_ms: number, ring: () => void) {
    const timer = setImmediate(ring);
    return () => clearImmediate(timer);
  },
};

type Change = (client: ReplicaClient) => Partial<ReplicaClient>;

/** A destination in memory that differs in some methods of its replicas. */
function memoryThat(
  change: Change,
  {
    store = new MemoryStore(),
    capabilities,
  }: { store?: MemoryStore; capabilities?: Capabilities } = {},
): Destination {
  const inner = memoryDestination({ store, capabilities });
  const methods = (client: ReplicaClient): ReplicaClient => ({
    listFiles: (...given) => client.listFiles(...given),
    openFile: (...given) => client.openFile(...given),
    writeFile: (...given) => client.writeFile(...given),
    deleteFiles: (...given) => client.deleteFiles(...given),
  });
  return {
    ...inner,
    replica(path) {
      const client = inner.replica(path);
      return { ...methods(client), ...change(client) };
    },
  };
}

async function check(
  destination: Destination,
  more: Partial<CheckOptions> = {},
): Promise<CheckReport> {
  return await checkDestination({ destination, path: 'db', partBytes: PART_BYTES, clock, ...more });
}

function verdicts(report: CheckReport): Record<string, string> {
  return Object.fromEntries(report.features.map(({ feature, verdict }) => [feature, verdict]));
}

function seenOf(report: CheckReport, feature: string): string {
  return report.features.find((each) => each.feature === feature)?.seen ?? 'nothing';
}

const ALL_WORKS = {
  reach: 'works',
  write: 'works',
  list: 'works',
  read: 'works',
  ranges: 'works',
  large: 'works',
  'if-absent': 'works',
  'if-absent-large': 'works',
  delete: 'works',
};

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
    for (const key of touched) expect(key).toMatch(/^(.*\/)?\.sluice-check-[0-9a-f]+\/ltx\/[09]\//);
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
    });
    expect(seenOf(report, 'if-absent')).toContain('fencing is off');
    expect(checkFailure(report)).toBeUndefined();
  });

  test('above a size is not judged above that size', async () => {
    const capabilities: Capabilities = { ranges: true, ifAbsent: { sizeMax: 50_000 } };
    const report = await check(memoryDestination({ capabilities }));
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, 'if-absent-large': 'not judged' });
    expect(seenOf(report, 'if-absent-large')).toBe('not claimed above 50000 bytes');
  });

  test('of sizes is told by its limit', async () => {
    const capabilities: Capabilities = { ranges: true, sizeMax: 50_000 };
    const report = await check(memoryDestination({ capabilities }));
    expect(verdicts(report)['large']).toBe('not judged');
    expect(seenOf(report, 'large')).toContain('files up to 50000 bytes');
  });
});

describe('conditional writes', () => {
  const isLarge = (sizeBytes: number): boolean => sizeBytes > PART_BYTES;

  test.each([
    ['all sizes', () => true, ['if-absent', 'if-absent-large']],
    ['small files', (size: number) => !isLarge(size), ['if-absent']],
    ['files in parts', isLarge, ['if-absent-large']],
  ] as const)('that are ignored for %s are found out', async (_, isIgnored, features) => {
    const report = await check(
      memoryThat((client) => ({
        writeFile: (file, body, options) =>
          client.writeFile(file, body, isIgnored(body.sizeBytes) ? {} : options),
      })),
    );
    const expected = Object.fromEntries(features.map((feature) => [feature, 'does not']));
    expect(verdicts(report)).toEqual({ ...ALL_WORKS, ...expected });
    for (const feature of features) {
      expect(seenOf(report, feature)).toBe(
        'conditional writes are ignored by this server: fencing is off',
      );
    }
    expect(checkFailure(report)).toBeUndefined();
  });

  test('that the server does not know are told as that', async () => {
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
    expect(seenOf(report, 'if-absent')).toContain('not known to this server');
  });

  test('that are refused and done all the same are told as that', async () => {
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
    expect(seenOf(report, 'if-absent')).toBe(
      'a conditional write is refused, and done all the same',
    );
  });

  test('of a free name that are refused are told as that', async () => {
    const report = await check(
      memoryThat((client) => ({
        async writeFile(file, body, options) {
          if (options?.condition === 'if-absent') throw error('REPLICA_CONFLICT');
          return await client.writeFile(file, body, options);
        },
      })),
    );
    expect(verdicts(report)['if-absent']).toBe('does not');
    expect(seenOf(report, 'if-absent')).toBe('a conditional write of a free name is refused');
  });

  test('whose first answer was lost are not taken for a refusal', async () => {
    let writes = 0;
    const report = await check(
      memoryThat((client) => ({
        async writeFile(file, body, options) {
          const info = await client.writeFile(file, body, options);
          if (options?.condition !== 'if-absent') return info;
          writes += 1;
          throw error('REPLICA_CONFLICT'); // of the attempt that followed the lost one
        },
      })),
    );
    expect(writes).toBe(2);
    expect(verdicts(report)).toEqual(ALL_WORKS);
  });
});

describe('a destination that is broken', () => {
  test.each<[string, Change, string]>([
    ['does not list what was written', () => ({ listFiles: () => empty() }), 'list'],
    [
      'lists more than was asked for',
      (client) => ({ listFiles: (level) => client.listFiles(level) }),
      'list',
    ],
    [
      'gives other bytes',
      (client) => ({
        async openFile(file, options) {
          const opened = await client.openFile(file, options);
          return { ...opened, body: flipped(opened.body, 0) };
        },
      }),
      'read',
    ],
    [
      'gives fewer bytes',
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
  ])('because it %s fails there', async (_, change, feature) => {
    const store = new MemoryStore();
    const report = await check(memoryThat(change, { store }));
    expect(checkFailure(report)?.feature).toBe(feature);
    expect(checkFailure(report)?.next).toBeDefined();
    expect(store.objects.size).toBe(0);
  });

  test('lets nothing be judged that rests on what is broken', async () => {
    const report = await check(
      memoryThat(() => ({ writeFile: async () => await Promise.reject(error('REPLICA_FULL')) })),
    );
    expect(verdicts(report)).toEqual({
      ...Object.fromEntries(Object.keys(ALL_WORKS).map((feature) => [feature, 'not judged'])),
      reach: 'works',
      write: 'does not',
    });
    expect(seenOf(report, 'read')).toBe('cannot be seen without write');
  });

  test.each<[ErrorCode, string]>([
    ['REPLICA_DESTINATION_NOT_FOUND', 'there is no such bucket or folder'],
    ['REPLICA_UNAVAILABLE', 'cannot be reached'],
    ['REPLICA_UNAUTHENTICATED', 'a fault of the test'],
  ])('by %s is asked for nothing more', async (code, words) => {
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

describe('access that is denied', () => {
  const denied = error('REPLICA_PERMISSION_DENIED');
  const deny = async (): Promise<never> => await Promise.reject(denied);

  test.each<[string, Change, string]>([
    ['list', () => ({ listFiles: () => failing(denied) }), 'list'],
    ['read', () => ({ openFile: deny }), 'read'],
    ['write', () => ({ writeFile: deny }), 'write'],
    ['delete', () => ({ deleteFiles: deny }), 'delete'],
  ])('to %s names the right that is missing', async (right, change, feature) => {
    const report = await check(memoryThat(change));
    const named = report.features.filter(({ missing }) => missing !== undefined);
    expect(named.map(({ feature: of, missing }) => [of, missing])).toEqual([[feature, right]]);
    expect(named[0]?.seen).toContain(`the right to ${right} is missing`);
  });

  test('to delete is no failure, and names what is left', async () => {
    const store = new MemoryStore();
    const report = await check(memoryThat(() => ({ deleteFiles: deny }), { store }));
    expect(checkFailure(report)).toBeUndefined();
    expect(report.left).toHaveLength(store.objects.size);
    expect(report.left).toContain('level 0 0000000000000001-0000000000000001.ltx');
    expect(seenOf(report, 'delete')).toContain(report.left.join(', '));
  });

  test('to delete one file names that one', async () => {
    const report = await check(
      memoryThat((client) => ({
        async deleteFiles(files) {
          await client.deleteFiles(files.slice(1));
          throw denied;
        },
      })),
    );
    expect(report.left).toEqual(['level 0 0000000000000001-0000000000000001.ltx']);
  });

  test('to list and delete leaves it open what is left', async () => {
    const change = (): Partial<ReplicaClient> => ({
      listFiles: () => failing(denied),
      deleteFiles: deny,
    });
    const report = await check(memoryThat(change));
    expect(seenOf(report, 'delete')).toContain('what was written may be left');
    expect(report.left.length).toBeGreaterThan(5);
  });
});

test('a deletion that is only said to be done is found out', async () => {
  const report = await check(memoryThat(() => ({ deleteFiles: async () => undefined })));
  expect(verdicts(report)).toEqual({ ...ALL_WORKS, delete: 'does not' });
  expect(seenOf(report, 'delete')).toContain('said to be done, and still there');
  expect(report.left.length).toBeGreaterThan(5);
});

test('what is listed for a moment after it was deleted is not left', async () => {
  let stale = 2;
  const store = new MemoryStore();
  const report = await check(
    memoryThat(
      (client) => {
        const before: Awaited<ReturnType<ReplicaClient['writeFile']>>[] = [];
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

async function* empty(): AsyncGenerator<never, void, undefined> {
  // nothing
}

async function* failing(reason: Error): AsyncGenerator<never, void, undefined> {
  expect(isError(reason)).toBe(true);
  throw reason;
}

async function* flipped(
  body: AsyncIterable<Uint8Array>,
  at: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let index = 0;
  for await (const chunk of body) {
    yield index === at ? chunk.map((byte) => byte ^ 1) : chunk;
    index += 1;
  }
}

async function* cut(
  body: AsyncIterable<Uint8Array>,
  sizeBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of body) yield chunk.subarray(0, sizeBytes);
}
