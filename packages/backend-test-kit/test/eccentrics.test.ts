/** Right, but strange: each of these keeps every promise, and the kit must say so. */

import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';

import { isError, type Capabilities, type ReplicaClient } from '@sluice/core/backend';
import { memoryClient, MemoryStore, withPolicies } from '@sluice/core/backend/testing';
import { expect, test } from 'vitest';

import { formatReport, runKit, type Subject } from '../src/index.ts';
import { FOLDERS } from './folders.ts';
import { withRoots } from './roots.ts';
import { ALL, plain, changeFiles, subjectOf, type World, type WorldOptions } from './world.ts';

/** A few milliseconds for each call: the kit makes tens of thousands. */
const LATENCY_MS = 2;
const TINY_BYTES = 3_000;

const UNSORTED: Capabilities = { ranges: true, conditions: 'any-size', versions: true };

const ECCENTRICS: readonly [does: string, subject: Subject | WorldOptions][] = [
  ['reads one byte at a time', { change: (each) => changeBodies(each, singly) }],
  [
    'reads Buffers of odd sizes, and empty ones between',
    { change: (each) => changeBodies(each, oddly) },
  ],
  ['lists in pages of one', { change: pagesOfOne }],
  ['is slow', { change: slow }],
  ['has no capability at all', bare()],
  [
    'has conditions up to a size',
    { capabilities: { ranges: true, conditions: { sizeMax: 150_000 } } },
  ],
  [
    'takes small files only',
    { capabilities: { ranges: true, conditions: 'any-size', sizeMax: 310_000 } },
  ],
  ['has the layout of S3', { memory: { layout: 'levels' } }],
  ['knows neither versions nor own times', { change: forgetful }],
  [
    'has a clock that is two minutes late',
    { memory: { now: () => new Date(Date.now() - 120_000) } },
  ],
  ['connects anew for each call', anew()],
  ['throws the errors of another copy of core', { change: foreign }],
  ['reads each source twice', { change: twice }],
  ['is wrapped already', wrappedAlready()],
  ['keeps each replica below a root', rooted()],
  ['has its files in folders, with links among them', FOLDERS],
  [
    'lists levels of all from the last to the first',
    { capabilities: UNSORTED, change: levelsReversed },
  ],
  ['makes a file of its own in the midst of a write', { change: late }],
];

test.each(ECCENTRICS)('a backend that %s passes whole', async (does, given) => {
  const subject = 'open' in given ? given : subjectOf(does, given);
  const report = await runKit(subject, { seed: 7 });
  expect(report.isPassed, formatReport(report)).toBe(true);
  const kept = report.results.filter(({ verdict }) => verdict === 'kept');
  expect(kept.length).toBeGreaterThan(60);
});

type Pass = (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

function changeBodies(client: ReplicaClient, pass: Pass): ReplicaClient {
  return changeFiles(client, (files) => ({
    async openFile(...given) {
      const opened = await files.openFile(...given);
      return { ...opened, body: pass(opened.body) };
    },
  }));
}

/** Of the first bytes: five million of them would take a while. */
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

function forgetful(client: ReplicaClient): ReplicaClient {
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

/** Nothing is kept between two calls but what is stored. */
function fickle(store: MemoryStore): ReplicaClient {
  const closed = memoryClient({ store });
  const opened: ReplicaClient[] = [closed];
  let isClosed = false;
  const anew = (): ReplicaClient => {
    if (isClosed) return closed;
    const client = memoryClient({ store });
    opened.push(client);
    return client;
  };
  return {
    ...plain(closed),
    list: (...given) => anew().list(...given),
    get: (...given) => anew().get(...given),
    put: (...given) => anew().put(...given),
    delete: (...given) => anew().delete(...given),
    async close() {
      isClosed = true;
      await Promise.all(opened.map((each) => each.close()));
    },
  };
}

function anew(): Subject {
  const subject = subjectOf('anew', { change: (_, { store }) => fickle(store) });
  return { ...subject, hooks: ['raw', 'vanish'] };
}

/** It settles conflicts, which a bare backend tells. */
function wrappedAlready(): Subject {
  const subject = subjectOf('wrapped', {
    change: (each) => withPolicies(each, { attemptsMax: 1 }).client,
  });
  return { ...subject, layers: ['wrapped'] };
}

/** What is made for a replica beside its files is there when they are gone. */
function rooted(): Subject {
  const capabilities = { ...ALL, folders: true } as const;
  return subjectOf('rooted', { capabilities, change: withRoots() });
}

/** Of another class, with the same brand. */
function foreign(client: ReplicaClient): ReplicaClient {
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

/** As for a checksum before the send. */
function twice(client: ReplicaClient): ReplicaClient {
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

/** Beside a file that is written another one appears: when somebody reads meanwhile, as it happens. */
function late(client: ReplicaClient, { store }: World): ReplicaClient {
  return changeFiles(client, (files, path) => ({
    async *listFiles(...given) {
      if (writing.has(path)) store.put(`${path}/late`, Buffer.alloc(1), { modifiedAt: new Date() });
      yield* files.listFiles(...given);
    },
    async writeFile(...given) {
      writing.add(path);
      try {
        return await files.writeFile(...given);
      } finally {
        writing.delete(path);
        store.objects.delete(`${path}/late`);
      }
    },
  }));
}

/** Paths of replicas; each is used by one case. */
const writing = new Set<string>();

/** Neither ranges, conditions, order nor copies. */
function bare(): Subject {
  const subject = subjectOf('nothing', {
    capabilities: {},
    change(client) {
      const required = plain(client);
      delete required.copy;
      return required;
    },
  });
  return { ...subject, copy: 'not-claimed' };
}
