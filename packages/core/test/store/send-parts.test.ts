import { describe, expect, test } from 'vitest';
import { PartMemory } from '../../src/store/http/part-memory.ts';
import { openParts } from '../../src/store/http/part-reader.ts';
import { sendParts, type PartsToSend } from '../../src/store/http/send-parts.ts';
import { FakeClock } from './fake-clock.ts';
import { error } from './fixtures.ts';

const PART_BYTES = 10;

/** A body whose n-th byte is n; `closed` resolves when its reader has closed it. */
function parts(
  sizeBytes: number,
  partsAtOnce = 2,
  ...signals: readonly AbortSignal[]
): PartsToSend & { readonly closed: Promise<void>; readonly clock: FakeClock } {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const body = {
    sizeBytes,
    async *open(): AsyncGenerator<Uint8Array> {
      try {
        yield Uint8Array.from({ length: sizeBytes }, (_, index) => index);
      } finally {
        resolve();
      }
    },
  };
  const reader = openParts(body, 'write x', ...signals);
  const memory = new PartMemory(partsAtOnce * PART_BYTES);
  const clock = new FakeClock();
  const resending = { logger: { warn: () => undefined }, clock };
  return { reader, sizeBytes, partBytes: PART_BYTES, memory, resending, signals, closed, clock };
}

/** Rejects as soon as the signal aborts. */
async function hang(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason as Error));
  return await promise;
}

test('each part is sent once, and results are in order', async () => {
  const sent = new Map<number, number[]>();
  const answers = await sendParts(parts(25), async (bytes, index) => {
    sent.set(index, [...bytes]);
    if (index === 0) await new Promise((resolve) => setImmediate(resolve)); // ends last
    return `part ${index}`;
  });
  expect(answers).toEqual(['part 0', 'part 1', 'part 2']);
  expect(sent.get(2)).toEqual([20, 21, 22, 23, 24]);
});

test('the memory limits the number of pending parts', async () => {
  let [now, most] = [0, 0];
  await sendParts(parts(95, 3), async () => {
    most = Math.max(most, (now += 1));
    await new Promise((resolve) => setImmediate(resolve));
    now -= 1;
  });
  expect(most).toBe(3);
});

test('memory of finished parts is reused, also by the next upload', async () => {
  const memories = new Set<ArrayBufferLike>();
  const first = parts(40, 1);
  const second = { ...parts(40, 1), memory: first.memory };
  for (const each of [first, second]) {
    await sendParts(each, async ({ buffer }) => void memories.add(buffer));
  }
  expect(memories.size).toBe(1);
});

test('memory of a failed part is not reused: it may still be sending', async () => {
  const given = parts(PART_BYTES, 1);
  let failed: ArrayBufferLike | undefined;
  const sending = sendParts(given, async ({ buffer }) => {
    failed = buffer;
    throw new Error('refused');
  });
  await expect(sending).rejects.toThrow('refused');
  expect(given.memory.borrow(PART_BYTES).buffer).not.toBe(failed);
});

describe('a part that fails', () => {
  test('is resent alone, with the same bytes', async () => {
    const given = parts(30, 3);
    const sent: number[][] = [];
    const sending = sendParts(given, async (bytes, index) => {
      const isFirst = !sent.some(([first]) => first === index * PART_BYTES);
      sent.push([...bytes]);
      if (index === 1 && isFirst) throw error('REPLICA_RATE_LIMITED');
      return index;
    });
    expect(await given.clock.run(sending)).toEqual([0, 1, 2]);
    expect(sent.map(([first]) => first)).toEqual([0, 10, 20, 10]);
    expect(sent[3]).toEqual(sent[1]);
  });

  test('and is resent does not release its memory for reuse', async () => {
    const given = parts(PART_BYTES, 1);
    const buffers: ArrayBufferLike[] = [];
    const sending = sendParts(given, async ({ buffer }) => {
      buffers.push(buffer);
      if (buffers.length === 1) throw error('REPLICA_UNAVAILABLE');
    });
    await given.clock.run(sending);
    expect(given.memory.borrow(PART_BYTES).buffer).not.toBe(buffers[0]);
  });
});

describe('an upload ends', () => {
  test('with the first part that cannot be sent: the others are aborted and awaited, and the source is closed', async () => {
    const failure = new Error('refused');
    const ended: number[] = [];
    const given = parts(30, 3);
    const sending = sendParts(given, async (_, index, over) => {
      if (index === 2) throw failure;
      await hang(over).finally(() => ended.push(index));
    });
    await expect(sending).rejects.toBe(failure);
    expect(ended).toEqual([0, 1]);
    await given.closed;
  });

  test('with an abort: pending parts are aborted', async () => {
    const controller = new AbortController();
    const reason = new Error('not wanted');
    const given = parts(30, 3, controller.signal);
    const sending = sendParts(given, async (_, index, over) => {
      if (index === 2) setImmediate(() => controller.abort(reason));
      await hang(over);
    });
    await expect(sending).rejects.toBe(reason);
    await given.closed;
    expect(await given.memory.take(3 * PART_BYTES, [])).toBeTypeOf('function'); // all released
  });

  test('and sends nothing if it is aborted before it begins', async () => {
    const reason = new Error('not wanted');
    const sending = sendParts({ ...parts(30), signals: [AbortSignal.abort(reason)] }, () => {
      throw new Error('it was sent');
    });
    await expect(sending).rejects.toBe(reason);
  });
});
