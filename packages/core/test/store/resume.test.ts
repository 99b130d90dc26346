import { describe, expect, test } from 'vitest';

import {
  ATTEMPTS_MAX,
  DELAY_MS,
  PROGRESS_BYTES,
  STALL_MS_MAX,
} from '../../src/store/policy/attempts.ts';
import type { NamedObjects } from '../../src/store/client.ts';
import { memoryDestination } from '../../src/store/memory.ts';
import { retry, retryObjects } from '../../src/store/policy/retry.ts';
import { chaos } from '../../src/store/chaos.ts';
import { bodyOf, bytesOf, error, fakePolicy, memory, readAll, ref, withCode } from './fixtures.ts';

const unavailable = error('REPLICA_UNAVAILABLE');

describe('streams', () => {
  const bytes = bytesOf(10_000);

  async function written(): Promise<ReturnType<typeof memory>> {
    const made = memory();
    await made.client.writeFile(ref(0, 1), bodyOf(bytes));
    return made;
  }

  test.each([
    ['break', unavailable],
    ['end early', 'end'],
    ['hang', 'hang'],
  ] as const)('that %s go on at the byte where they stopped', async (_how, fault) => {
    const { client } = await written();
    for (const range of [undefined, { start: 500, end: 9_300 }]) {
      const { clock, events, policy } = fakePolicy();
      const flaky = chaos(client, { on: 'openFile', at: 3, error: fault });
      const read = readAll(retry(flaky.client, 'mem', policy), ref(0, 1), range && { range });
      expect(await clock.run(read)).toEqual(bytes.slice(range?.start, range?.end));
      expect([flaky.calls.openFile, events.length]).toEqual([2, 1]);
      expect(clock.now()).toBe(fault === 'hang' ? STALL_MS_MAX + DELAY_MS : DELAY_MS);
    }
  });

  test('that break again and again without progress end', async () => {
    // Each attempt brings less than counts as progress, all together bring more.
    const { client } = memory({ chunkBytes: PROGRESS_BYTES / 2 });
    await client.writeFile(ref(0, 1), bodyOf(bytesOf(10 * PROGRESS_BYTES), PROGRESS_BYTES));
    const { clock, policy } = fakePolicy();
    const flaky = chaos(client, { on: 'openFile', at: 1, times: 99, error: unavailable });
    const read = readAll(retry(flaky.client, 'mem', policy), ref(0, 1));
    await expect(clock.run(read)).rejects.toBe(unavailable);
    expect(flaky.calls.openFile).toBe(ATTEMPTS_MAX);
  });

  test('that come on between failures may fail as often as they like', async () => {
    const made = memory({ chunkBytes: PROGRESS_BYTES });
    const long = bytesOf(20 * PROGRESS_BYTES);
    await made.client.writeFile(ref(0, 1), bodyOf(long, long.byteLength));
    const { clock, policy } = fakePolicy();
    const flaky = chaos(made.client, { on: 'openFile', at: 1, times: 15, error: unavailable });
    const read = readAll(retry(flaky.client, 'mem', policy), ref(0, 1));
    expect(Buffer.compare(await clock.run(read), long)).toBe(0);
    expect(flaky.calls.openFile).toBe(16);
  });

  test('never go on in another version of the object', async () => {
    const { client } = await written();
    const { clock, policy } = fakePolicy({
      onRetry: () => void client.writeFile(ref(0, 1), bodyOf(bytesOf(10_000, 9))),
    });
    const flaky = chaos(client, { on: 'openFile', at: 3, error: unavailable });
    const read = clock.run(readAll(retry(flaky.client, 'mem', policy), ref(0, 1)));
    await expect(read).rejects.toEqual(withCode('REPLICA_CHANGED'));
  });

  test('never go on where a backend tells no version', async () => {
    const { client } = await written();
    const nameless = {
      ...chaos(client, { on: 'openFile', at: 3, error: unavailable }).client,
    };
    const openFile = nameless.openFile.bind(nameless);
    nameless.openFile = async (...given) => {
      const { version: _version, ...opened } = await openFile(...given);
      return opened;
    };
    const { clock, policy } = fakePolicy();
    const read = clock.run(readAll(retry(nameless, 'mem', policy), ref(0, 1)));
    await expect(read).rejects.toBe(unavailable);
  });

  test('that go on beyond what was asked for are refused', async () => {
    const { client } = await written();
    const deaf = { ...chaos(client).client };
    deaf.openFile = async (file, options) =>
      await client.openFile(file, { ...options, range: undefined });
    const { clock, policy } = fakePolicy();
    const read = clock.run(
      readAll(retry(deaf, 'mem', policy), ref(0, 1), { range: { start: 0, end: 1_500 } }),
    );
    await expect(read).rejects.toEqual(withCode('REPLICA_UNKNOWN'));
  });

  test('that are aborted reject with the reason, and are not opened again', async () => {
    const { client } = await written();
    const { policy } = fakePolicy();
    const flaky = chaos(client, { on: 'openFile', at: 3, error: 'hang' });
    const controller = new AbortController();
    const reason = new Error('not wanted');
    const { body } = await retry(flaky.client, 'mem', policy).openFile(ref(0, 1), {
      signal: controller.signal,
    });
    const read = Array.fromAsync(body);
    setImmediate(() => controller.abort(reason));
    await expect(read).rejects.toBe(reason);
    expect(flaky.calls.openFile).toBe(1);
  });

  test('that are left early end the stream of the backend', async () => {
    let ended = 0;
    const endless = { ...memory().client };
    const body = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield bytesOf(10);
      } finally {
        ended += 1;
      }
    };
    endless.openFile = async () => ({ sizeBytes: 1_000, body: body() });
    const { policy } = fakePolicy();
    for await (const _ of (await retry(endless, 'mem', policy).openFile(ref(0, 1))).body) break;
    expect(ended).toBe(1);
  });

  test('of named objects never go on in another version, though none can be asked for', async () => {
    const objects = memoryDestination({ chunkBytes: 1_000 }).objects?.('db');
    if (objects === undefined) throw new Error('memory has objects');
    await objects.put('x', bytesOf(5_000));
    let calls = 0;
    const flaky: NamedObjects = {
      put: (...given) => objects.put(...given),
      list: (...given) => objects.list(...given),
      delete: (...given) => objects.delete(...given),
      async get(...given) {
        calls += 1;
        const opened = await objects.get(...given);
        return calls > 1 ? opened : { ...opened, body: firstOf(opened.body) };
      },
    };
    const read = async (onRetry: () => void): Promise<Uint8Array> => {
      calls = 0;
      const { clock, policy } = fakePolicy({ onRetry });
      const { body } = await retryObjects(flaky, 'mem', policy).get('x');
      return Buffer.concat(await clock.run(Array.fromAsync(body)));
    };
    expect(Uint8Array.from(await read(() => undefined))).toEqual(bytesOf(5_000));
    const replaced = read(() => void objects.put('x', bytesOf(5_000, 2)));
    await expect(replaced).rejects.toEqual(withCode('REPLICA_CHANGED'));
  });

  test('a version that is gone is not asked for again', async () => {
    const { client } = await written();
    const { clock, policy } = fakePolicy();
    const flaky = chaos(client);
    const read = clock.run(
      readAll(retry(flaky.client, 'mem', policy), ref(0, 1), { version: 'v99' }),
    );
    await expect(read).rejects.toEqual(withCode('REPLICA_CHANGED'));
    expect(flaky.calls.openFile).toBe(1);
  });

  test('an answer that comes too late is let go of', async () => {
    const { client } = await written();
    const { clock, policy } = fakePolicy();
    const ended: string[] = [];
    let calls = 0;
    const slow = { ...chaos(client).client };
    slow.openFile = async (file, options) => {
      calls += 1;
      const opened = await client.openFile(file, options);
      if (calls > 1) return opened;
      await new Promise<void>((resolve) => void clock.after(STALL_MS_MAX + 10, resolve));
      const body = async function* (): AsyncGenerator<Uint8Array> {
        try {
          yield bytes;
        } finally {
          ended.push('late stream');
        }
      };
      return { ...opened, body: body() };
    };
    expect(await clock.run(readAll(retry(slow, 'mem', policy), ref(0, 1)))).toEqual(bytes);
    expect(ended).toEqual(['late stream']);
  });
});

/** The first chunk, and then an end that comes too early. */
async function* firstOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    yield chunk;
    return;
  }
}
