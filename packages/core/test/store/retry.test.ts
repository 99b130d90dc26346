import { describe, expect, test } from 'vitest';

import {
  ATTEMPTS_MAX,
  DELAY_MS,
  DELAY_MS_MAX,
  FULL_ATTEMPTS_MAX,
  FULL_DELAY_MS,
  planRetry,
  RETRY_AFTER_MS_MAX,
  SILENCE_MS_MAX,
} from '../../src/store/policy/attempts.ts';
import { ERROR_CODES, type ErrorCode } from '../../src/error.ts';
import { retry } from '../../src/store/policy/retry.ts';
import { chaos } from '../../src/store/chaos.ts';
import type { ReplicaClient } from '../../src/store/client.ts';
import { plain } from '../support/files-view.ts';
import {
  bodyOf,
  bytesOf,
  countListeners,
  error,
  fakePolicy,
  memory,
  readKey,
  at,
} from './fixtures.ts';

const unavailable = error('REPLICA_UNAVAILABLE');

describe('the delay before a retry', () => {
  const policy = { attemptsMax: ATTEMPTS_MAX, random: () => 1 };

  test('doubles up to a limit, and then retries end', () => {
    const delays = [1, 2, 3, 4, 5].map((failures) => planRetry(unavailable, failures, policy));
    expect(delays).toEqual([DELAY_MS, 2 * DELAY_MS, 4 * DELAY_MS, 8 * DELAY_MS, undefined]);
    expect(planRetry(unavailable, 9, { ...policy, attemptsMax: 20 })).toBe(DELAY_MS_MAX);
  });

  test('is random by half', () => {
    expect(planRetry(unavailable, 1, { ...policy, random: () => 0 })).toBe(DELAY_MS / 2);
  });

  test('exists only for retryable codes', () => {
    const codes = Object.keys(ERROR_CODES) as ErrorCode[];
    for (const code of codes) {
      expect([code, planRetry(error(code), 1, policy) !== undefined]).toEqual([
        code,
        ERROR_CODES[code].retryable,
      ]);
    }
    expect(planRetry(new Error('what is this?'), 1, policy)).toBeUndefined();
  });

  test('is long for a full disk, with few attempts', () => {
    expect(planRetry(error('REPLICA_FULL'), 1, policy)).toBe(FULL_DELAY_MS);
    expect(planRetry(error('REPLICA_FULL'), FULL_ATTEMPTS_MAX, policy)).toBeUndefined();
  });

  test('respects the server, unless that is too long', () => {
    const asked = (retryAfterMs: number): number | undefined =>
      planRetry(error('REPLICA_RATE_LIMITED', { retryAfterMs }), 1, policy);
    expect(asked(3_000)).toBe(3_000);
    expect(asked(1)).toBe(DELAY_MS);
    expect(asked(RETRY_AFTER_MS_MAX + 1)).toBeUndefined();
  });
});

describe('calls', () => {
  test('a failed call is retried, and each retry is reported', async () => {
    const { client } = memory();
    const { clock, events, policy } = fakePolicy();
    const flaky = chaos(client, { on: 'put', times: 3, error: unavailable });
    const info = await clock.run(retry(flaky.client, policy).put(at(0, 1), bodyOf(bytesOf(10))));
    expect(info.sizeBytes).toBe(10);
    expect(flaky.calls.put).toBe(4);
    expect(events.map(({ attempt, delayMs }) => [attempt, delayMs])).toEqual([
      [1, 250],
      [2, 500],
      [3, 1_000],
    ]);
    expect(events[0]).toMatchObject({
      what: 'write db/ltx/0/0000000000000001-0000000000000001.ltx to memory://',
      error: unavailable,
    });
    expect(clock.pending).toBe(0);
  });

  test('attempts are limited, and the last error is thrown unchanged', async () => {
    const { clock, policy } = fakePolicy();
    const flaky = chaos(memory().client, { on: 'delete', times: 99, error: unavailable });
    const ended = clock.run(retry(flaky.client, policy).delete([at(0, 1)]));
    await expect(ended).rejects.toBe(unavailable);
    expect(flaky.calls.delete).toBe(ATTEMPTS_MAX);
  });

  test('an error that is not retryable is not retried', async () => {
    const denied = error('REPLICA_PERMISSION_DENIED');
    const { clock, events, policy } = fakePolicy();
    const flaky = chaos(memory().client, { on: 'put', error: denied });
    const ended = clock.run(retry(flaky.client, policy).put(at(0, 1), bodyOf(bytesOf(9))));
    await expect(ended).rejects.toBe(denied);
    expect([flaky.calls.put, events.length]).toEqual([1, 0]);
  });

  test('an aborted call is not made, and an abort ends the delay', async () => {
    const { clock, policy } = fakePolicy();
    const reason = new Error('not wanted');
    const flaky = chaos(memory().client, { on: 'put', times: 9, error: unavailable });
    const client = retry(flaky.client, policy);
    const signal = AbortSignal.abort(reason);
    await expect(client.put(at(0, 1), bodyOf(bytesOf(9)), { signal })).rejects.toBe(reason);
    expect(flaky.calls.put).toBe(0);

    const controller = new AbortController();
    const waiting = retry(flaky.client, {
      ...policy,
      onRetry: () => controller.abort(reason),
    });
    const ended = waiting.put(at(0, 1), bodyOf(bytesOf(9)), { signal: controller.signal });
    await expect(ended).rejects.toBe(reason); // without advancing the clock
    expect(flaky.calls.put).toBe(1);
    expect(clock.pending).toBe(0);
  });

  test('a silent call is given up and retried', async () => {
    const { client } = memory();
    const { clock, events, policy } = fakePolicy();
    const flaky = chaos(client, { on: 'put', at: 'hang', error: 'hang' });
    await clock.run(retry(flaky.client, policy).put(at(0, 1), bodyOf(bytesOf(9))));
    expect(events).toHaveLength(1);
    expect(clock.now()).toBe(SILENCE_MS_MAX + DELAY_MS);
    expect(await readKey(client, at(0, 1))).toEqual(bytesOf(9));
  });

  test.each(['list', 'get'] as const)(
    'a server that accepts %s and never responds is reported after about a minute',
    async (call) => {
      const { client } = memory();
      await client.put(at(0, 1), bodyOf(bytesOf(9)));
      const { clock, policy } = fakePolicy();
      const silent = chaos(client, { on: call, at: 'hang', times: 99, error: 'hang' });
      const quiet = retry(silent.client, policy);
      const reading = call === 'list' ? Array.fromAsync(quiet.list('db/')) : quiet.get(at(0, 1));
      await expect(clock.run<unknown>(reading)).rejects.toMatchObject({
        code: 'REPLICA_UNAVAILABLE',
        message: expect.stringMatching(/: no response for 30 s; check the address/),
      });
      expect(clock.now()).toBeLessThan(62_000);
      expect(silent.calls[call]).toBe(2);
    },
  );

  test('a call that was given up is retried, whatever error its abort causes', async () => {
    const { client } = memory();
    const { clock, policy } = fakePolicy();
    const flaky = chaos(client, { on: 'delete', at: 'hang', error: 'hang' });
    const own = plain(flaky.client);
    const vague: ReplicaClient = {
      ...own,
      delete: async (keys, options) =>
        await flaky.client.delete(keys, options).catch(() => {
          throw new DOMException('The operation was aborted', 'AbortError');
        }),
    };
    await clock.run(retry(vague, policy).delete([at(0, 1)]));
    expect(flaky.calls.delete).toBe(2);
  });

  test('no listener stays on a long-lived signal', async () => {
    const { client } = memory();
    const { signal, count } = countListeners();
    const { clock, policy } = fakePolicy();
    const flaky = chaos(
      client,
      { on: 'put', error: unavailable },
      { on: 'get', at: 0, error: unavailable },
    );
    const retried = retry(flaky.client, policy);
    await clock.run(retried.put(at(0, 1), bodyOf(bytesOf(9)), { signal }));
    await clock.run(readKey(retried, at(0, 1), { signal }));
    await Array.fromAsync(retried.list('db/ltx/0/', { signal }));
    await retried.delete([at(0, 1)], { signal });
    expect(count()).toBe(0);
  });

  test('the source is reopened for each attempt', async () => {
    const { client } = memory();
    const { clock, policy } = fakePolicy();
    const body = bodyOf(bytesOf(5_000));
    let opened = 0;
    const counted = { ...body, open: () => ((opened += 1), body.open()) };
    const flaky = chaos(client, { on: 'put', at: 'commit', times: 2, error: unavailable });
    await clock.run(retry(flaky.client, policy).put(at(0, 1), counted));
    expect(opened).toBe(3);
    expect(await readKey(client, at(0, 1))).toEqual(bytesOf(5_000));
  });

  test('a source that fails ends the write, even if its error is retryable', async () => {
    const { clock, policy } = fakePolicy();
    const { client } = memory();
    const failure = error('REPLICA_UNAVAILABLE'); // a source may be another destination
    const wrapping = {
      ...plain(client),
      put: async (...given: Parameters<typeof client.put>) =>
        await client.put(...given).catch(() => {
          throw unavailable;
        }),
    };
    const body = {
      ...bodyOf(bytesOf(9)),
      async *open() {
        yield bytesOf(3);
        throw failure;
      },
    };
    const ended = clock.run(retry(wrapping, policy).put(at(0, 1), body));
    await expect(ended).rejects.toBe(failure);
    expect(clock.now()).toBe(0);
  });
});

describe('listings', () => {
  async function listed(flaky: ReturnType<typeof chaos>, prefix: string) {
    const { clock, policy } = fakePolicy();
    const files = await clock.run(Array.fromAsync(retry(flaky.client, policy).list(prefix)));
    return files.map(({ key }) => key);
  }

  test('resume where they stopped: each file once', async () => {
    const { client } = memory();
    for (const [min, max] of [
      [1, 1],
      [2, 2],
      [2, 5],
      [2, 7],
      [8, 8],
    ] as const) {
      await client.put(at(0, min, max), bodyOf(bytesOf(1)));
    }
    for (let index = 0; index <= 4; index += 1) {
      const flaky = chaos(client, { on: 'list', at: index, error: unavailable });
      expect(await listed(flaky, 'db/ltx/0/')).toEqual([
        at(0, 1, 1),
        at(0, 2, 2),
        at(0, 2, 5),
        at(0, 2, 7),
        at(0, 8, 8),
      ]);
      expect(flaky.calls.list).toBe(2);
    }
  });

  test('of all levels skip no level', async () => {
    const { client } = memory();
    for (const level of [0, 1, 9]) {
      for (const txid of [1, 2]) await client.put(at(level, txid), bodyOf(bytesOf(1)));
    }
    for (let index = 0; index <= 5; index += 1) {
      const flaky = chaos(client, { on: 'list', at: index, error: unavailable });
      expect(await listed(flaky, 'db/ltx/')).toEqual([
        at(0, 1, 1),
        at(0, 2, 2),
        at(1, 1, 1),
        at(1, 2, 2),
        at(9, 1, 1),
        at(9, 2, 2),
      ]);
    }
  });

  test('that hang are given up and retried', async () => {
    const { client } = memory();
    for (const txid of [1, 2, 3]) await client.put(at(0, txid), bodyOf(bytesOf(1)));
    const flaky = chaos(client, { on: 'list', at: 2, error: 'hang' });
    expect(await listed(flaky, 'db/ltx/0/')).toEqual([at(0, 1, 1), at(0, 2, 2), at(0, 3, 3)]);
  });

  test('that are out of order are passed on unchanged: "checked" detects them', async () => {
    const files = [at(0, 3), at(0, 1), at(0, 2)].map((key) => ({
      key,
      sizeBytes: 1,
      modifiedAt: new Date(),
    }));
    const unsorted: ReplicaClient = {
      ...plain(memory().client),
      async *list() {
        yield* files;
      },
    };
    const listed = Array.fromAsync(retry(unsorted, fakePolicy().policy).list('db/ltx/0/'));
    expect(await listed).toEqual(files);
  });

  test('that are left early are not retried', async () => {
    const { client } = memory();
    for (const txid of [1, 2, 3]) await client.put(at(0, txid), bodyOf(bytesOf(1)));
    const flaky = chaos(client);
    for await (const file of retry(flaky.client, fakePolicy().policy).list('db/ltx/0/')) {
      expect(file.key).toBe(at(0, 1));
      break;
    }
    expect(flaky.calls.list).toBe(1);
  });
});

test.for(['put', 'delete', 'copy'] as const)(
  'a %s that must not begin is neither made nor repeated',
  async (call) => {
    const { clock, events, policy } = fakePolicy();
    const calls: string[] = [];
    const fail = async (): Promise<never> => {
      calls.push(call);
      return await Promise.reject(unavailable);
    };
    const fails = { put: fail, delete: fail, copy: fail };
    const retried = retry({ ...plain(memory().client), ...fails }, policy);
    const ended = error('REPLICA_UNAVAILABLE');
    const mayBegin = (): void => {
      if (calls.length > 0) throw ended;
    };
    const runs = {
      put: () => retried.put(at(0, 1), bodyOf(bytesOf(10)), { mayBegin }),
      delete: () => retried.delete([at(0, 1)], { mayBegin }),
      copy: () => retried.copy?.(at(0, 1), at(0, 2), { mayBegin }),
    };
    await expect(clock.run(Promise.resolve<unknown>(runs[call]()))).rejects.toBe(ended);
    expect(calls).toEqual([call]);
    expect(events).toHaveLength(1);
  },
);
