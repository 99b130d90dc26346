import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { ReplicationError } from '../../src/error.ts';
import { SOCKETS_MAX } from '../../src/store/http/sockets.ts';
import { Requests, type RequestOptions } from '../../src/store/http/requests.ts';

const reason = new Error('not wanted');

function options(signal?: AbortSignal, whenAborted: 'cut' | 'settle' = 'cut'): RequestOptions {
  const toError = (error: unknown): ReplicationError =>
    new ReplicationError('REPLICA_UNAVAILABLE', `asked: ${String(error)}`);
  return { signals: [signal], whenAborted, toError };
}

/** Waits until pending requests have been sent. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Rejects on an abort, like a vendor's client. */
async function untilCut(cut: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  cut.addEventListener('abort', () => reject(new Error('AbortError')));
  return await promise;
}

test("a vendor's error gets a code; an error with a code keeps it", async () => {
  const work = new Requests('x://b');
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
    const reading = new Requests('x://b').request(options(controller.signal), untilCut);
    await turn();
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });

  test('waits for a write to end, and is still an abort', async () => {
    const controller = new AbortController();
    const { promise: answer, resolve } = Promise.withResolvers<string>();
    let isCut = false;
    const writing = new Requests('x://b').request(options(controller.signal, 'settle'), (cut) => {
      cut.addEventListener('abort', () => (isCut = true));
      return answer;
    });
    await turn();
    controller.abort(reason);
    resolve('done');
    await expect(writing).rejects.toBe(reason);
    expect(isCut).toBe(false);
  });

  test('cuts a write that does not end', async () => {
    const controller = new AbortController();
    const writing = new Requests('x://b').request(options(controller.signal, 'settle'), untilCut);
    await turn();
    const since = performance.now();
    controller.abort(reason);
    await expect(writing).rejects.toBe(reason);
    expect(performance.now() - since).toBeGreaterThan(500);
  });

  test('before the request sends nothing', async () => {
    const signal = AbortSignal.abort(reason);
    let isSent = false;
    const sending = new Requests('x://b').request(options(signal), async () => (isSent = true));
    await expect(sending).rejects.toBe(reason);
    expect(isSent).toBe(false);
  });
});

test('close ends pending requests, waits for them, and refuses new ones', async () => {
  const work = new Requests('x://b');
  let hasEnded = false;
  const reading = work.request(options(), (cut) => untilCut(cut).finally(() => (hasEnded = true)));
  await turn();
  const closing = work.close();
  await expect(reading).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
  await closing;
  expect(hasEnded).toBe(true);
  const late = work.request(options(), async () => 'sent');
  await expect(late).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
});

describe('sockets', () => {
  /** A request whose response the test controls. */
  function pending(work: Requests, count: number, options_ = options()): (() => void)[] {
    return Array.from({ length: count }, () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      void work.request(options_, () => promise).catch(() => undefined);
      return resolve;
    });
  }

  /** A stream whose state the test can check. */
  const stream = (): Readable => new Readable({ read: () => undefined });

  test('are limited to 16 requests; others wait for their responses', async () => {
    const work = new Requests('x://b');
    const [first] = pending(work, SOCKETS_MAX);
    let isSent = false;
    const next = work.request(options(), async () => (isSent = true));
    await turn();
    expect(isSent).toBe(false);
    first?.();
    await next;
  });

  test('are in use until an aborted request has ended', async () => {
    const work = new Requests('x://b');
    const controller = new AbortController();
    const [first] = pending(work, SOCKETS_MAX, options(controller.signal));
    await turn();
    controller.abort(reason);
    let isSent = false;
    const next = work.request(options(), async () => (isSent = true));
    await turn();
    expect(isSent).toBe(false);
    first?.();
    await next;
  });

  test('are not taken by a request that is aborted while it waits, or that comes after the end', async () => {
    const work = new Requests('x://b');
    const [first, ...others] = pending(work, SOCKETS_MAX);
    const controller = new AbortController();
    const aborted = work.request(options(controller.signal), async () => 'sent');
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    const closed = work.request(options(), async () => 'sent');
    first?.();
    await closed;
    const late = pending(work, 1);
    const waiting = work.request(options(), async () => 'sent');
    await turn();
    const closing = work.close();
    await expect(waiting).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
    for (const end of [...others, ...late]) end();
    await closing;
  });

  test('of a stream are free after it is closed', async () => {
    const work = new Requests('x://b');
    pending(work, SOCKETS_MAX - 1);
    const opened = await work.open(options(), async () => ({ stream: stream() }));
    const next = work.request(options(), async () => 'served');
    opened.stream.destroy();
    await expect(next).resolves.toBe('served');
  });

  test('of a stream that arrives too late are freed', async () => {
    const work = new Requests('x://b');
    pending(work, SOCKETS_MAX - 1);
    const controller = new AbortController();
    const { promise, resolve } = Promise.withResolvers<{ stream: Readable }>();
    const opening = work.open(options(controller.signal), () => promise);
    await turn();
    controller.abort(reason);
    await expect(opening).rejects.toBe(reason);
    const next = work.request(options(), async () => 'served');
    const late = stream();
    resolve({ stream: late });
    await expect(next).resolves.toBe('served');
    expect(late.destroyed).toBe(true);
  });

  test('of a failed open are free', async () => {
    const work = new Requests('x://b');
    pending(work, SOCKETS_MAX - 1);
    const opening = work.open(options(), async (): Promise<{ stream: Readable }> => {
      throw new Error('reset');
    });
    await expect(opening).rejects.toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
    await expect(work.request(options(), async () => 'served')).resolves.toBe('served');
  });

  test('are available to the clean-up, until the client has closed', async () => {
    const work = new Requests('x://b');
    const ends = pending(work, SOCKETS_MAX);
    let isCut = false;
    const cleaning = work.keep(
      work.cleanUp(async (ended) => {
        await turn();
        isCut = ended.aborted;
      }),
    );
    const closing = work.close();
    for (const end of ends) end();
    await cleaning;
    expect(isCut).toBe(false);
    await closing;
    const late = work.cleanUp(async () => 'sent');
    await expect(late).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
  });
});
