/** Resending of single requests of an upload. */

import { describe, expect, test } from 'vitest';
import type { ErrorDetails } from '../../src/error.ts';
import { ATTEMPTS_MAX } from '../../src/store/policy/attempts.ts';
import { sendAgain, type Resending } from '../../src/store/http/resend.ts';
import { FakeClock } from './fake-clock.ts';
import { error } from './fixtures.ts';

const NEVER = new AbortController().signal;

function resending(): Resending & { readonly clock: FakeClock; readonly said: string[] } {
  const said: string[] = [];
  return {
    clock: new FakeClock(),
    random: () => 1,
    said,
    logger: { warn: (message) => void said.push(message) },
  };
}

/** A request that fails a number of times before it succeeds. */
function failing(times: number, details?: ErrorDetails) {
  let sent = 0;
  const send = async (): Promise<number> => {
    sent += 1;
    if (sent <= times) throw error('REPLICA_UNAVAILABLE', details);
    return sent;
  };
  return { send, count: () => sent };
}

test('a failed request is resent, and each delay is logged', async () => {
  const given = resending();
  const { send } = failing(3);
  expect(await given.clock.run(sendAgain(send, given, NEVER))).toBe(4);
  expect(given.clock.now()).toBe(250 + 500 + 1_000);
  expect(given.said).toHaveLength(3);
  expect(given.said[0]).toMatch(/the part is sent again in 250 ms$/);
});

test('attempts are limited, and the last error is thrown', async () => {
  const given = resending();
  const { send, count } = failing(99);
  await expect(given.clock.run(sendAgain(send, given, NEVER))).rejects.toMatchObject({
    code: 'REPLICA_UNAVAILABLE',
  });
  expect(count()).toBe(ATTEMPTS_MAX);
});

test('a delay requested by the server is respected', async () => {
  const given = resending();
  const { send } = failing(1, { retryAfterMs: 3_000 });
  await given.clock.run(sendAgain(send, given, NEVER));
  expect(given.clock.now()).toBe(3_000);
});

describe('a request is sent once', () => {
  test.each([404, 410])('if the upload no longer exists (%i)', async (status) => {
    const { send, count } = failing(1, { status });
    await expect(sendAgain(send, resending(), NEVER)).rejects.toMatchObject({ status });
    expect(count()).toBe(1);
  });

  test('if the error is not retryable', async () => {
    const denied = error('REPLICA_PERMISSION_DENIED');
    const sending = sendAgain(() => Promise.reject(denied), resending(), NEVER);
    await expect(sending).rejects.toBe(denied);
  });
});

test('an abort ends the wait', async () => {
  const controller = new AbortController();
  const reason = new Error('not wanted');
  const given = resending();
  const { send, count } = failing(99);
  const sending = sendAgain(send, given, controller.signal);
  const rejected = expect(sending).rejects.toBe(reason);
  await new Promise((resolve) => setImmediate(resolve));
  controller.abort(reason);
  await rejected;
  expect(count()).toBe(1);
  expect(given.clock.pending).toBe(0);
});
