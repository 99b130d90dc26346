import { describe, expect, test } from 'vitest';

import {
  ATTEMPTS_MAX,
  DELAY_MS,
  DELAY_MS_MAX,
  FULL_ATTEMPTS_MAX,
  FULL_DELAY_MS,
  planRetry,
  PROGRESS_BYTES,
  RETRY_AFTER_MS_MAX,
  SILENCE_MS_MAX,
  STALL_MS_MAX,
} from '../../src/replica/attempts.ts';
import { ERROR_CODES, type ErrorCode } from '../../src/error.ts';
import { retry } from '../../src/replica/retry.ts';
import { chaos } from './chaos.ts';
import { bodyOf, bytesOf, error, fakePolicy, memory, readAll, ref, withCode } from './fixtures.ts';

const unavailable = error('REPLICA_UNAVAILABLE');

describe('when to try again', () => {
  const policy = { attemptsMax: ATTEMPTS_MAX, random: () => 1 };

  test('waits double, up to a limit, and end', () => {
    const delays = [1, 2, 3, 4, 5].map((failures) => planRetry(unavailable, failures, policy));
    expect(delays).toEqual([DELAY_MS, 2 * DELAY_MS, 4 * DELAY_MS, 8 * DELAY_MS, undefined]);
    expect(planRetry(unavailable, 9, { ...policy, attemptsMax: 20 })).toBe(DELAY_MS_MAX);
  });

  test('half of a wait is random', () => {
    expect(planRetry(unavailable, 1, { ...policy, random: () => 0 })).toBe(DELAY_MS / 2);
  });

  test('only codes that are worth it', () => {
    const codes = Object.keys(ERROR_CODES) as ErrorCode[];
    for (const code of codes) {
      expect([code, planRetry(error(code), 1, policy) !== undefined]).toEqual([
        code,
        ERROR_CODES[code].retryable,
      ]);
    }
    expect(planRetry(new Error('what is this?'), 1, policy)).toBeUndefined();
  });

  test('a full disk is tried slowly, and seldom', () => {
    expect(planRetry(error('REPLICA_FULL'), 1, policy)).toBe(FULL_DELAY_MS);
    expect(planRetry(error('REPLICA_FULL'), FULL_ATTEMPTS_MAX, policy)).toBeUndefined();
  });

  test('what the other side asks for is kept, unless it is too long to hang', () => {
    const asked = (retryAfterMs: number): number | undefined =>
      planRetry(error('REPLICA_RATE_LIMITED', { retryAfterMs }), 1, policy);
    expect(asked(3_000)).toBe(3_000);
    expect(asked(1)).toBe(DELAY_MS);
    expect(asked(RETRY_AFTER_MS_MAX + 1)).toBeUndefined();
  });
});

describe('calls', () => {
  test('a call that fails is made again, and each time is told', async () => {
    const { client } = memory();
    const { clock, events, policy } = fakePolicy();
    const flaky = chaos(client, { on: 'writeFile', times: 3, error: unavailable });
    const info = await clock.run(
      retry(flaky.client, 'mem', policy).writeFile(ref(0, 1), bodyOf(bytesOf(10))),
    );
    expect(info.sizeBytes).toBe(10);
    expect(flaky.calls.writeFile).toBe(4);
    expect(events.map(({ attempt, delayMs }) => [attempt, delayMs])).toEqual([
      [1, 250],
      [2, 500],
      [3, 1_000],
    ]);
    expect(events[0]).toMatchObject({
      what: 'write level 0 0000000000000001-0000000000000001.ltx to mem',
      error: unavailable,
    });
    expect(clock.pending).toBe(0);
  });

  test('attempts are bounded, and the last error is told as it is', async () => {
    const { clock, policy } = fakePolicy();
    const flaky = chaos(memory().client, { on: 'deleteFiles', times: 99, error: unavailable });
    const ended = clock.run(retry(flaky.client, 'mem', policy).deleteFiles([ref(0, 1)]));
    await expect(ended).rejects.toBe(unavailable);
    expect(flaky.calls.deleteFiles).toBe(ATTEMPTS_MAX);
  });

  test('what is not worth it is not tried again', async () => {
    const denied = error('REPLICA_PERMISSION_DENIED');
    const { clock, events, policy } = fakePolicy();
    const flaky = chaos(memory().client, { on: 'writeFile', error: denied });
    const ended = clock.run(
      retry(flaky.client, 'mem', policy).writeFile(ref(0, 1), bodyOf(bytesOf(9))),
    );
    await expect(ended).rejects.toBe(denied);
    expect([flaky.calls.writeFile, events.length]).toEqual([1, 0]);
  });

  test('an aborted call is not made, and an abort ends the wait', async () => {
    const { clock, policy } = fakePolicy();
    const reason = new Error('not wanted');
    const flaky = chaos(memory().client, { on: 'writeFile', times: 9, error: unavailable });
    const client = retry(flaky.client, 'mem', policy);
    const signal = AbortSignal.abort(reason);
    await expect(client.writeFile(ref(0, 1), bodyOf(bytesOf(9)), { signal })).rejects.toBe(reason);
    expect(flaky.calls.writeFile).toBe(0);

    const controller = new AbortController();
    const waiting = retry(flaky.client, 'mem', {
      ...policy,
      onRetry: () => controller.abort(reason),
    });
    const ended = waiting.writeFile(ref(0, 1), bodyOf(bytesOf(9)), { signal: controller.signal });
    await expect(ended).rejects.toBe(reason); // without the clock being turned
    expect(flaky.calls.writeFile).toBe(1);
    expect(clock.pending).toBe(0);
  });

  test('a call of which nothing is heard is given up, and made again', async () => {
    const { client } = memory();
    const { clock, events, policy } = fakePolicy();
    const flaky = chaos(client, { on: 'writeFile', at: 'hang', error: 'hang' });
    await clock.run(retry(flaky.client, 'mem', policy).writeFile(ref(0, 1), bodyOf(bytesOf(9))));
    expect(events).toHaveLength(1);
    expect(clock.now()).toBe(SILENCE_MS_MAX + DELAY_MS);
    expect(await readAll(client, ref(0, 1))).toEqual(bytesOf(9));
  });

  test('the source is opened again for each attempt', async () => {
    const { client } = memory();
    const { clock, policy } = fakePolicy();
    const body = bodyOf(bytesOf(5_000));
    let opened = 0;
    const counted = { ...body, open: () => ((opened += 1), body.open()) };
    const flaky = chaos(client, { on: 'writeFile', at: 'commit', times: 2, error: unavailable });
    await clock.run(retry(flaky.client, 'mem', policy).writeFile(ref(0, 1), counted));
    expect(opened).toBe(3);
    expect(await readAll(client, ref(0, 1))).toEqual(bytesOf(5_000));
  });

  test('a source that fails ends the write, whatever its error and whatever became of it', async () => {
    const { clock, policy } = fakePolicy();
    const { client } = memory();
    const failure = error('REPLICA_UNAVAILABLE'); // a source may be another destination
    const wrapping = {
      ...client,
      writeFile: async (...given: Parameters<typeof client.writeFile>) =>
        await client.writeFile(...given).catch(() => {
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
    const ended = clock.run(retry(wrapping, 'mem', policy).writeFile(ref(0, 1), body));
    await expect(ended).rejects.toBe(failure);
    expect(clock.now()).toBe(0);
  });
});

describe('listings', () => {
  async function listed(flaky: ReturnType<typeof chaos>, level: number | 'all') {
    const { clock, policy } = fakePolicy();
    const files = await clock.run(
      Array.fromAsync(retry(flaky.client, 'mem', policy).listFiles(level)),
    );
    return files.map((file) => `${file.level}/${file.minTXID}-${file.maxTXID}`);
  }

  test('go on from where they broke off: each file once', async () => {
    const { client } = memory();
    for (const [min, max] of [
      [1, 1],
      [2, 2],
      [2, 5],
      [2, 7],
      [8, 8],
    ] as const) {
      await client.writeFile(ref(0, min, max), bodyOf(bytesOf(1)));
    }
    for (let at = 0; at <= 4; at += 1) {
      const flaky = chaos(client, { on: 'listFiles', at, error: unavailable });
      expect(await listed(flaky, 0)).toEqual(['0/1-1', '0/2-2', '0/2-5', '0/2-7', '0/8-8']);
      expect(flaky.calls.listFiles).toBe(2);
    }
  });

  test('of all levels lose no level', async () => {
    const { client } = memory();
    for (const level of [0, 1, 9]) {
      for (const txid of [1, 2]) await client.writeFile(ref(level, txid), bodyOf(bytesOf(1)));
    }
    for (let at = 0; at <= 5; at += 1) {
      const flaky = chaos(client, { on: 'listFiles', at, error: unavailable });
      expect(await listed(flaky, 'all')).toEqual([
        '0/1-1',
        '0/2-2',
        '1/1-1',
        '1/2-2',
        '9/1-1',
        '9/2-2',
      ]);
    }
  });

  test('that hang are given up and made again', async () => {
    const { client } = memory();
    for (const txid of [1, 2, 3]) await client.writeFile(ref(0, txid), bodyOf(bytesOf(1)));
    const flaky = chaos(client, { on: 'listFiles', at: 2, error: 'hang' });
    expect(await listed(flaky, 0)).toEqual(['0/1-1', '0/2-2', '0/3-3']);
  });

  test('that are left early are not made again', async () => {
    const { client } = memory();
    for (const txid of [1, 2, 3]) await client.writeFile(ref(0, txid), bodyOf(bytesOf(1)));
    const flaky = chaos(client);
    for await (const file of retry(flaky.client, 'mem', fakePolicy().policy).listFiles(0)) {
      expect(file.minTXID).toBe(1n);
      break;
    }
    expect(flaky.calls.listFiles).toBe(1);
  });
});

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
    const { client } = await written();
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
