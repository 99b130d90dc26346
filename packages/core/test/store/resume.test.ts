import { describe, expect, test } from 'vitest';

import {
  ATTEMPTS_MAX,
  DELAY_MS,
  PROGRESS_BYTES,
  STALL_MS_MAX,
} from '../../src/store/policy/attempts.ts';
import { chaos } from '../../src/store/chaos.ts';
import type { ReplicaClient } from '../../src/store/client.ts';
import { plain } from '../support/files-view.ts';
import { retry } from '../../src/store/policy/retry.ts';
import { bodyOf, bytesOf, error, fakePolicy, memory, readKey, at, withCode } from './fixtures.ts';

const unavailable = error('REPLICA_UNAVAILABLE');

describe('streams', () => {
  const bytes = bytesOf(10_000);

  async function written(): Promise<ReturnType<typeof memory>> {
    const made = memory();
    await made.client.put(at(0, 1), bodyOf(bytes));
    return made;
  }

  test.each([
    ['break', unavailable],
    ['end early', 'end'],
    ['hang', 'hang'],
  ] as const)('that %s resume at the byte where they stopped', async (_how, fault) => {
    const { client } = await written();
    for (const range of [undefined, { start: 500, end: 9_300 }]) {
      const { clock, events, policy } = fakePolicy();
      const flaky = chaos(client, { on: 'get', at: 3, error: fault });
      const read = readKey(retry(flaky.client, policy), at(0, 1), range && { range });
      expect(await clock.run(read)).toEqual(bytes.slice(range?.start, range?.end));
      expect([flaky.calls.get, events.length]).toEqual([2, 1]);
      expect(clock.now()).toBe(fault === 'hang' ? STALL_MS_MAX + DELAY_MS : DELAY_MS);
    }
  });

  test('that fail repeatedly without progress end', async () => {
    // Each attempt reads less than PROGRESS_BYTES, all together read more.
    const { client } = memory({ chunkBytes: PROGRESS_BYTES / 2 });
    await client.put(at(0, 1), bodyOf(bytesOf(10 * PROGRESS_BYTES), PROGRESS_BYTES));
    const { clock, policy } = fakePolicy();
    const flaky = chaos(client, { on: 'get', at: 1, times: 99, error: unavailable });
    const read = readKey(retry(flaky.client, policy), at(0, 1));
    await expect(clock.run(read)).rejects.toBe(unavailable);
    expect(flaky.calls.get).toBe(ATTEMPTS_MAX);
  });

  test('that make progress between failures may fail any number of times', async () => {
    const made = memory({ chunkBytes: PROGRESS_BYTES });
    const long = bytesOf(20 * PROGRESS_BYTES);
    await made.client.put(at(0, 1), bodyOf(long, long.byteLength));
    const { clock, policy } = fakePolicy();
    const flaky = chaos(made.client, { on: 'get', at: 1, times: 15, error: unavailable });
    const read = readKey(retry(flaky.client, policy), at(0, 1));
    expect(Buffer.compare(await clock.run(read), long)).toBe(0);
    expect(flaky.calls.get).toBe(16);
  });

  test('never resume with another version of the object', async () => {
    const { client } = await written();
    const { clock, policy } = fakePolicy({
      onRetry: () => void client.put(at(0, 1), bodyOf(bytesOf(10_000, 9))),
    });
    const flaky = chaos(client, { on: 'get', at: 3, error: unavailable });
    const read = clock.run(readKey(retry(flaky.client, policy), at(0, 1)));
    await expect(read).rejects.toEqual(withCode('REPLICA_CHANGED'));
  });

  test('never resume without a version', async () => {
    const { client } = await written();
    const nameless = {
      ...chaos(client, { on: 'get', at: 3, error: unavailable }).client,
    };
    const get = nameless.get.bind(nameless);
    nameless.get = async (...given) => {
      const { version: _version, ...opened } = await get(...given);
      return opened;
    };
    const { clock, policy } = fakePolicy();
    const read = clock.run(readKey(retry(nameless, policy), at(0, 1)));
    await expect(read).rejects.toBe(unavailable);
  });

  test('with more bytes than requested are refused', async () => {
    const { client } = await written();
    const deaf = { ...chaos(client).client };
    deaf.get = async (file, options) => await client.get(file, { ...options, range: undefined });
    const { clock, policy } = fakePolicy();
    const read = clock.run(
      readKey(retry(deaf, policy), at(0, 1), { range: { start: 0, end: 1_500 } }),
    );
    await expect(read).rejects.toEqual(withCode('REPLICA_UNKNOWN'));
  });

  test('that are aborted reject with the reason, and are not reopened', async () => {
    const { client } = await written();
    const { policy } = fakePolicy();
    const flaky = chaos(client, { on: 'get', at: 3, error: 'hang' });
    const controller = new AbortController();
    const reason = new Error('not wanted');
    const { body } = await retry(flaky.client, policy).get(at(0, 1), {
      signal: controller.signal,
    });
    const read = Array.fromAsync(body);
    setImmediate(() => controller.abort(reason));
    await expect(read).rejects.toBe(reason);
    expect(flaky.calls.get).toBe(1);
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
    endless.get = async () => ({ sizeBytes: 1_000, body: body() });
    const { policy } = fakePolicy();
    for await (const _ of (await retry(endless, policy).get(at(0, 1))).body) break;
    expect(ended).toBe(1);
  });

  test('never resume with another version if the backend ignores the requested one', async () => {
    const { client } = await written();
    let calls = 0;
    const flaky: ReplicaClient = {
      ...plain(client),
      async get(key, { range, signal } = {}) {
        calls += 1;
        const opened = await client.get(key, { range, signal });
        return calls > 1 ? opened : { ...opened, body: firstOf(opened.body) };
      },
    };
    const read = async (onRetry: () => void): Promise<Uint8Array> => {
      calls = 0;
      const { clock, policy } = fakePolicy({ onRetry });
      return await clock.run(readKey(retry(flaky, policy), at(0, 1)));
    };
    expect(await read(() => undefined)).toEqual(bytes);
    const replaced = read(() => void client.put(at(0, 1), bodyOf(bytesOf(10_000, 2))));
    await expect(replaced).rejects.toEqual(withCode('REPLICA_CHANGED'));
  });

  test('a replaced version is not requested again', async () => {
    const { client } = await written();
    const { clock, policy } = fakePolicy();
    const flaky = chaos(client);
    const read = clock.run(readKey(retry(flaky.client, policy), at(0, 1), { version: 'v99' }));
    await expect(read).rejects.toEqual(withCode('REPLICA_CHANGED'));
    expect(flaky.calls.get).toBe(1);
  });

  test('a late response is discarded', async () => {
    const { client } = await written();
    const { clock, policy } = fakePolicy();
    const ended: string[] = [];
    let calls = 0;
    const slow = { ...chaos(client).client };
    slow.get = async (file, options) => {
      calls += 1;
      const opened = await client.get(file, options);
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
    expect(await clock.run(readKey(retry(slow, policy), at(0, 1)))).toEqual(bytes);
    expect(ended).toEqual(['late stream']);
  });
});

/** The first chunk, and then an early end. */
async function* firstOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    yield chunk;
    return;
  }
}
