import { describe, expect, test } from 'vitest';
import { PartMemory } from '../../src/store/http/part-memory.ts';
import type { ObjectBody } from '../../src/store/client.ts';
import { sendInParts, sendWhole, type UploadContext } from '../../src/store/http/send-body.ts';
import { Requests } from '../../src/store/http/requests.ts';
import { bodyOf, bytesOf } from './fixtures.ts';

const reason = new Error('not wanted');
const ignore = (): void => undefined;
const quietLogger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function sending(memoryBytes = 10): UploadContext {
  return {
    requests: new Requests('x://b'),
    memory: new PartMemory(memoryBytes),
    logger: quietLogger,
  };
}

function toSend(body: ObjectBody, signal?: AbortSignal) {
  return { body, what: 'write x', signal };
}

describe('a body in one request', () => {
  test('is completely in memory before it is sent', async () => {
    const body = bodyOf(bytesOf(10), 3);
    const sent = await sendWhole(sending(), toSend(body), async (bytes) => [...bytes]);
    expect(sent).toEqual([...bytesOf(10)]);
  });

  test('waits for memory, and always releases it', async () => {
    const shared = sending(10);
    const { promise: first, reject } = Promise.withResolvers<never>();
    const begun: number[] = [];
    const send = async (number: number, until?: Promise<never>): Promise<number> =>
      await sendWhole(shared, toSend(bodyOf(bytesOf(10))), async () => {
        begun.push(number);
        return (await until) ?? number;
      });
    const failing = send(1, first);
    const waiting = send(2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(begun).toEqual([1]);
    reject(reason);
    await expect(failing).rejects.toBe(reason);
    await expect(waiting).resolves.toBe(2);
  });

  test('with the wrong size is not sent, and its source is closed', async () => {
    let isClosed = false;
    const source = bodyOf(bytesOf(9), 3);
    const body: ObjectBody = {
      ...source,
      sizeBytes: 8,
      async *open() {
        try {
          yield* source.open();
        } finally {
          isClosed = true;
        }
      },
    };
    const failing = sendWhole(sending(), toSend(body), async () => expect.unreachable());
    await expect(failing).rejects.toMatchObject({ code: 'LTX_INVALID' });
    expect(isClosed).toBe(true);
  });

  test('ends when the destination closes, even if its source hangs', async () => {
    const shared = sending();
    const body: ObjectBody = {
      ...bodyOf(bytesOf(9)),
      async *open() {
        yield await new Promise<never>(() => undefined);
      },
    };
    const hanging = sendWhole(shared, toSend(body), async () => expect.unreachable());
    await Promise.all([
      expect(hanging).rejects.toMatchObject({ code: 'REPLICA_CLOSED' }),
      shared.requests.close(),
    ]);
  });
});

describe('a body in parts', () => {
  const MIB = 1024 * 1024;

  test('has parts of the configured size', async () => {
    const limits = { partSizeBytes: 4, partsMax: 100 };
    const sizes = await sendInParts(
      sending(),
      limits,
      toSend(bodyOf(bytesOf(10), 3)),
      async (bytes, index) => [index, bytes.byteLength],
    );
    expect(sizes).toEqual([
      [0, 4],
      [1, 4],
      [2, 2],
    ]);
  });

  test('has larger parts if there would be too many', async () => {
    const limits = { partSizeBytes: 4, partsMax: 2 };
    const body = bodyOf(new Uint8Array(MIB + 10), MIB);
    const sizes = await sendInParts(sending(), limits, toSend(body), async (bytes) => {
      return bytes.byteLength;
    });
    expect(sizes).toEqual([MIB, 10]);
  });

  test('ends with the call, and so do pending parts', async () => {
    const controller = new AbortController();
    const limits = { partSizeBytes: 4, partsMax: 100 };
    const call = toSend(bodyOf(bytesOf(10)), controller.signal);
    const cut: number[] = [];
    const failing = sendInParts(sending(), limits, call, async (_, index, over) => {
      await new Promise<void>((resolve) => {
        over.addEventListener('abort', () => resolve());
        // As many as the memory allows are pending now.
        if (index === 1) setImmediate(() => controller.abort(reason));
      });
      cut.push(index);
      throw over.reason;
    });
    await expect(failing).rejects.toBe(reason);
    expect(cut).toEqual([0, 1]);
  });
});
