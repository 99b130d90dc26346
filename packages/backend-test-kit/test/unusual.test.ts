/** Unusual but correct backends. Each of them must pass all cases. */

import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';

import { isError, type Capabilities, type ReplicaClient } from '@sluice/core/backend';
import { memoryClient, MemoryStore, withPolicies } from '@sluice/core/backend/testing';
import { expect, test } from 'vitest';

import { formatReport, runKit, type Subject } from '../src/index.ts';
import { FOLDERS } from './folders.ts';
import { withRoots } from './roots.ts';
import { ALL, plain, changeFiles, subjectOf, type World, type WorldOptions } from './world.ts';

/** Short, because the kit makes tens of thousands of calls. */
const LATENCY_MS = 2;
const TINY_BYTES = 3_000;

const UNSORTED: Capabilities = { ranges: true, conditions: 'any-size', versions: true };

const UNUSUAL_BACKENDS: readonly [does: string, subject: Subject | WorldOptions][] = [
  ['reads one byte at a time', { change: (each) => changeBodies(each, singly) }],
  [
    'reads Buffers of odd sizes, some of them empty',
    { change: (each) => changeBodies(each, oddly) },
  ],
  ['lists in pages of one', { change: pagesOfOne }],
  ['is slow', { change: slow }],
  ['has no capabilities', bare()],
  [
    'has conditions up to a size',
    { capabilities: { ranges: true, conditions: { sizeMax: 150_000 } } },
  ],
  [
    'stores only small files',
    { capabilities: { ranges: true, conditions: 'any-size', sizeMax: 310_000 } },
  ],
  ['uses the layout of S3', { memory: { layout: 'levels' } }],
  ['has no versions and no createdAt', { change: withoutVersions }],
  [
    'has a clock that is two minutes slow',
    { memory: { now: () => new Date(Date.now() - 120_000) } },
  ],
  ['reconnects for each call', reconnecting()],
  ['throws errors of another copy of core', { change: withForeignErrors }],
  ['reads each source twice', { change: readTwice }],
  ['is already wrapped', wrappedAlready()],
  ['creates a root folder for each replica', rooted()],
  ['stores files in folders that also have links', FOLDERS],
  ['lists all levels in descending order', { capabilities: UNSORTED, change: levelsReversed }],
  ['creates a temporary file during a write', { change: withTemporaryFile }],
];

test.each(UNUSUAL_BACKENDS)('a backend that %s passes', async (does, given) => {
  const subject = 'open' in given ? given : subjectOf(does, given);
  const report = await runKit(subject, { seed: 7 });
  expect(report.isPassed, formatReport(report)).toBe(true);
  const passed = report.results.filter(({ status }) => status === 'passed');
  expect(passed.length).toBeGreaterThan(60);
});

type Rechunk = (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

function changeBodies(client: ReplicaClient, rechunk: Rechunk): ReplicaClient {
  return changeFiles(client, (files) => ({
    async openFile(...given) {
      const opened = await files.openFile(...given);
      return { ...opened, body: rechunk(opened.body) };
    },
  }));
}

/** Only for the first bytes: five million single bytes would take too long. */
async function* singly(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let left = TINY_BYTES;
  for await (const chunk of chunks) {
    const single = chunk.subarray(0, left);
    for (let index = 0; index < single.byteLength; index += 1) yield single.slice(index, index + 1);
    left -= single.byteLength;
    if (single.byteLength < chunk.byteLength) yield chunk.subarray(single.byteLength);
  }
}

async function* oddly(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    const middle = Math.floor(chunk.byteLength / 3);
    yield Buffer.from(chunk.subarray(0, middle));
    yield Buffer.from(chunk.subarray(middle));
  }
  yield Buffer.alloc(0); // also for an empty file
}

function pagesOfOne(client: ReplicaClient): ReplicaClient {
  return changeFiles(client, (files) => ({
    async *listFiles(level, options) {
      for await (const file of files.listFiles(level, options)) {
        await turn();
        options?.signal?.throwIfAborted();
        yield file;
      }
    },
  }));
}

function slow(client: ReplicaClient): ReplicaClient {
  const later = <Result>(work: () => Promise<Result>): Promise<Result> =>
    sleep(LATENCY_MS).then(work);
  return changeFiles(client, (files) => ({
    openFile: (...given) => later(() => files.openFile(...given)),
    writeFile: (...given) => later(() => files.writeFile(...given)),
    deleteFiles: (...given) => later(() => files.deleteFiles(...given)),
  }));
}

function withoutVersions(client: ReplicaClient): ReplicaClient {
  return changeFiles(client, (files) => ({
    async *listFiles(...given) {
      for await (const { createdAt: _, ...file } of files.listFiles(...given)) yield file;
    },
    async openFile(...given) {
      const { sizeBytes, body } = await files.openFile(...given);
      return { sizeBytes, body };
    },
  }));
}

/** A client that keeps no state between calls. */
function stateless(store: MemoryStore): ReplicaClient {
  const closed = memoryClient({ store });
  const opened: ReplicaClient[] = [closed];
  let isClosed = false;
  const connect = (): ReplicaClient => {
    if (isClosed) return closed;
    const client = memoryClient({ store });
    opened.push(client);
    return client;
  };
  return {
    ...plain(closed),
    list: (...given) => connect().list(...given),
    get: (...given) => connect().get(...given),
    put: (...given) => connect().put(...given),
    delete: (...given) => connect().delete(...given),
    async close() {
      isClosed = true;
      await Promise.all(opened.map((each) => each.close()));
    },
  };
}

function reconnecting(): Subject {
  const subject = subjectOf('reconnecting', { change: (_, { store }) => stateless(store) });
  return { ...subject, hooks: ['raw', 'vanish'] };
}

/** Tested as `wrapped` only, because it resolves conflicts that a bare backend reports. */
function wrappedAlready(): Subject {
  const subject = subjectOf('wrapped', {
    change: (each) => withPolicies(each, { attemptsMax: 1 }).client,
  });
  return { ...subject, layers: ['wrapped'] };
}

/** Creates a root and a marker for each replica, like a backend of folders. */
function rooted(): Subject {
  const capabilities = { ...ALL, folders: true } as const;
  return subjectOf('rooted', { capabilities, change: withRoots() });
}

/** Errors of another class with the same brand. */
function withForeignErrors(client: ReplicaClient): ReplicaClient {
  const translate = (error: unknown): never => {
    if (!isError(error)) throw error;
    const other = new Error(error.message);
    const brand = Object.getOwnPropertySymbols(error);
    for (const symbol of brand) Object.defineProperty(other, symbol, { value: true });
    throw Object.assign(other, { code: error.code, retryable: error.retryable });
  };
  return changeFiles(client, (files) => ({
    openFile: (...given) => files.openFile(...given).catch(translate),
    writeFile: (...given) => files.writeFile(...given).catch(translate),
  }));
}

/** Reads small bodies twice, as a backend does to compute a checksum before the upload. */
function readTwice(client: ReplicaClient): ReplicaClient {
  return changeFiles(client, (files) => ({
    async writeFile(file, body, options) {
      const { signal } = options ?? {};
      signal?.throwIfAborted();
      if (body.sizeBytes < 60_000) for await (const _ of body.open()) signal?.throwIfAborted();
      return await files.writeFile(file, body, options);
    },
  }));
}

function levelsReversed(client: ReplicaClient): ReplicaClient {
  return changeFiles(client, (files) => ({
    async *listFiles(level, options) {
      if (level !== 'all') return yield* files.listFiles(level, options);
      for (let each = 9; each >= 0; each -= 1) yield* files.listFiles(each, options);
    },
  }));
}

/** A temporary file appears during a write, when a reader lists the replica. */
function withTemporaryFile(client: ReplicaClient, { store }: World): ReplicaClient {
  return changeFiles(client, (files, path) => ({
    async *listFiles(...given) {
      if (writing.has(path))
        store.put(`${path}/temporary`, Buffer.alloc(1), { modifiedAt: new Date() });
      yield* files.listFiles(...given);
    },
    async writeFile(...given) {
      writing.add(path);
      try {
        return await files.writeFile(...given);
      } finally {
        writing.delete(path);
        store.objects.delete(`${path}/temporary`);
      }
    },
  }));
}

/** Paths of replicas that are being written. Each is used by one case. */
const writing = new Set<string>();

/** No ranges, conditions, sorted lists or copies. */
function bare(): Subject {
  const subject = subjectOf('no capabilities', {
    capabilities: {},
    change(client) {
      const required = plain(client);
      delete required.copy;
      return required;
    },
  });
  return { ...subject, copy: 'not-claimed' };
}
