import { describe, expect, test } from 'vitest';
import { ReplicationError } from '../../src/error.ts';
import { Work, type RequestOptions } from '../../src/replica/work.ts';

const reason = new Error('not wanted');

function options(signal?: AbortSignal, whenAborted: 'cut' | 'settle' = 'cut'): RequestOptions {
  const toError = (error: unknown): ReplicationError =>
    new ReplicationError('REPLICA_UNAVAILABLE', `asked: ${String(error)}`);
  return { signals: [signal], whenAborted, toError };
}

/** What a vendor's client does with its signal. */
async function untilCut(cut: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  cut.addEventListener('abort', () => reject(new Error('AbortError')));
  return await promise;
}

test('what the vendor throws is given a code; what has one keeps it', async () => {
  const work = new Work('x://b');
  const failing = work.request(options(), async () => {
    throw new Error('reset');
  });
  await expect(failing).rejects.toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
  const own = new ReplicationError('REPLICA_CONFLICT', 'it is there');
  const conflict = work.request(options(), async () => {
    throw own;
  });
  await expect(conflict).rejects.toBe(own);
});

describe('an abort', () => {
  test('cuts a read at once', async () => {
    const controller = new AbortController();
    const reading = new Work('x://b').request(options(controller.signal), untilCut);
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });

  test('lets a write end by itself, and is still an abort', async () => {
    const controller = new AbortController();
    const { promise: answer, resolve } = Promise.withResolvers<string>();
    let isCut = false;
    const writing = new Work('x://b').request(options(controller.signal, 'settle'), (cut) => {
      cut.addEventListener('abort', () => (isCut = true));
      return answer;
    });
    controller.abort(reason);
    resolve('done');
    await expect(writing).rejects.toBe(reason);
    expect(isCut).toBe(false);
  });

  test('cuts a write that does not end', async () => {
    const controller = new AbortController();
    const writing = new Work('x://b').request(options(controller.signal, 'settle'), untilCut);
    const since = performance.now();
    controller.abort(reason);
    await expect(writing).rejects.toBe(reason);
    expect(performance.now() - since).toBeGreaterThan(500);
  });

  test('before it is sent sends nothing', async () => {
    const signal = AbortSignal.abort(reason);
    let isSent = false;
    const sending = new Work('x://b').request(options(signal), async () => (isSent = true));
    await expect(sending).rejects.toBe(reason);
    expect(isSent).toBe(false);
  });
});

test('close ends what is on its way, waits for it, and lets nothing more begin', async () => {
  const work = new Work('x://b');
  let hasEnded = false;
  const reading = work.request(options(), (cut) => untilCut(cut).finally(() => (hasEnded = true)));
  const closing = work.close();
  await expect(reading).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
  await closing;
  expect(hasEnded).toBe(true);
  const late = work.request(options(), async () => 'sent');
  await expect(late).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
});
