/** What is opened by its key, and opened again where others needed its socket. */

import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { Capabilities } from '../../src/store/backend.ts';
import { openKey } from '../../src/store/http/keyed-opening.ts';
import type { KeyedOpened, KeyedOpening, KeyedStore } from '../../src/store/http/keyed-store.ts';
import { readBytes } from '../../src/store/read-bytes.ts';
import { SOCKETS_MAX } from '../../src/store/http/sockets.ts';
import { Work, type RequestOptions } from '../../src/store/http/requests.ts';
import { bytesOf, error } from './fixtures.ts';

const BYTES = bytesOf(1_000);
const MODIFIED_AT = new Date(1_700_000_001_000);

interface Place {
  readonly store: Pick<KeyedStore, 'open' | 'bodyError' | 'capabilities' | 'work'>;
  readonly asked: KeyedOpening[];
  readonly streams: Readable[];
  readonly work: Work;
}

/** A store that heeds ranges, and no versions: it has what `versionAt` says at each opening. */
function storeOf(versionAt: (index: number) => string, capabilities: Capabilities): Place {
  const work = new Work('x://b');
  const asked: KeyedOpening[] = [];
  const streams: Readable[] = [];
  const open = async (_: string, call: KeyedOpening): Promise<KeyedOpened> =>
    await work.open(requestOf(call.signal), async () => {
      const { start = 0, end = BYTES.byteLength } = call.range ?? {};
      const version = versionAt(asked.push(call) - 1);
      const stream = chunked(BYTES.subarray(start, end));
      streams.push(stream);
      return { sizeBytes: BYTES.byteLength, modifiedAt: MODIFIED_AT, version, stream };
    });
  const bodyError = (thrown: unknown) => error('REPLICA_UNAVAILABLE', { cause: thrown });
  return { store: { open, bodyError, capabilities, work }, asked, streams, work };
}

function requestOf(signal?: AbortSignal): RequestOptions {
  const toError = (thrown: unknown) => error('REPLICA_UNAVAILABLE', { cause: thrown });
  return { signals: [signal], whenAborted: 'cut', toError };
}

/** 100 bytes at a time, none of them before they are asked for. */
function chunked(bytes: Uint8Array): Readable {
  let offset = 0;
  const read = function (this: Readable): void {
    const chunk = bytes.subarray(offset, (offset += 100));
    this.push(chunk.byteLength === 0 ? null : chunk);
  };
  return new Readable({ read, highWaterMark: 1 });
}

async function open({ store }: Place, given: Partial<KeyedOpening> = {}) {
  const call = { what: 'open x', signal: undefined, ...given };
  return await openKey(store as KeyedStore, 'x', call);
}

/** Has all the other sockets, and asks for one more: served once something has been parked. */
async function needOneMore({ work }: Place, signal?: AbortSignal): Promise<void> {
  const hanging = (): Readable => new Readable({ read: () => undefined });
  for (let index = 1; index < SOCKETS_MAX; index += 1) {
    await work.open(requestOf(), async () => ({ stream: hanging() }));
  }
  await work.request(requestOf(signal), async () => undefined);
}

test('a body that was parked goes on with the rest of its range, of its version', async () => {
  const place = storeOf(() => 'v1', { ranges: true });
  const { body } = await open(place, { range: { start: 50, end: 850 } });
  const reader = body[Symbol.asyncIterator]();
  const first = (await reader.next()).value as Uint8Array;
  await needOneMore(place);
  expect(place.streams[0]?.destroyed).toBe(true);
  const rest = await readBytes({ [Symbol.asyncIterator]: () => reader }, 1_000);
  expect([...first, ...rest]).toEqual([...BYTES.subarray(50, 850)]);
  expect(place.asked).toMatchObject([
    { range: { start: 50, end: 850 } },
    { version: 'v1', range: { start: 150, end: 850 } },
  ]);
});

test('a body whose object was replaced while it was parked says so, and lets go', async () => {
  const place = storeOf((index) => `v${index}`, { ranges: true });
  const { body } = await open(place);
  await needOneMore(place);
  await expect(readBytes(body, 1_000)).rejects.toMatchObject({ code: 'REPLICA_CHANGED' });
  expect(place.streams.map(({ destroyed }) => destroyed)).toEqual([true, true]);
  // The socket of the other version is free again.
  await expect(place.work.request(requestOf(), async () => 'served')).resolves.toBe('served');
});

test.each<[string, string, Capabilities]>([
  ['has no version', '', { ranges: true }],
  ['is at a place without ranges', 'v1', {}],
])('a body that %s keeps its socket', async (_, version, capabilities) => {
  const place = storeOf(() => version, capabilities);
  const { body } = await open(place);
  const waiting = needOneMore(place, AbortSignal.timeout(300));
  await expect(waiting).rejects.toThrow(/timeout/);
  expect([...(await readBytes(body, 1_000))]).toEqual([...BYTES]);
  expect(place.asked).toHaveLength(1);
});

test('a server that does not heed the version is found out, and its answer left', async () => {
  const place = storeOf(() => 'v2', { ranges: true });
  await expect(open(place, { version: 'v1' })).rejects.toMatchObject({ code: 'REPLICA_CHANGED' });
  expect(place.streams[0]?.destroyed).toBe(true);
  const { version } = await open(place, { version: 'v2' });
  expect(version).toBe('v2');
});

test('a body that is waited for is not parked', async () => {
  const place = storeOf(() => 'v1', { ranges: true });
  const silent = new Readable({ read: () => undefined });
  const { hold } = await place.work.open(requestOf(), async () => ({ stream: silent }));
  const opened = { sizeBytes: 9, modifiedAt: MODIFIED_AT, version: 'v1', stream: silent, hold };
  const store = { ...place.store, open: async () => opened } as unknown as KeyedStore;
  const { body } = await openKey(store, 'x', { what: 'open x', signal: undefined });
  const next = body[Symbol.asyncIterator]().next();
  await expect(needOneMore(place, AbortSignal.timeout(300))).rejects.toThrow(/timeout/);
  silent.push(bytesOf(9));
  expect((await next).value).toHaveLength(9);
});

test('an abort between the answer and its body frees the socket, though nobody reads', async () => {
  const place = storeOf(() => 'v1', { ranges: true });
  const controller = new AbortController();
  const reason = new Error('not wanted');
  const store = {
    ...place.store,
    async open(key: string, call: KeyedOpening) {
      const opened = await place.store.open(key, call);
      controller.abort(reason);
      return opened;
    },
  } as unknown as KeyedStore;
  const call = { what: 'open x', signal: controller.signal };
  const { body } = await openKey(store, 'x', call);
  expect(place.streams[0]?.destroyed).toBe(true);
  await expect(readBytes(body, 1_000)).rejects.toBe(reason);
});
