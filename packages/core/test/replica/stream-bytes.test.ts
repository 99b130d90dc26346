import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { ReplicationError } from '../../src/error.ts';
import { readBytes } from '../../src/replica/read-bytes.ts';
import { bytesOfStream, type StreamOptions } from '../../src/replica/stream-bytes.ts';
import { Work } from '../../src/replica/work.ts';
import { bytesOf } from './fixtures.ts';

const reason = new Error('not wanted');

function options(work = new Work('x://b'), signal?: AbortSignal): StreamOptions {
  const toError = (error: unknown): ReplicationError =>
    new ReplicationError('REPLICA_UNAVAILABLE', `open x: ${String(error)}`);
  return { work, signal, toError };
}

/** So many bytes at a time, for ever. */
function endless(): Readable {
  return new Readable({
    read(): void {
      this.push(bytesOf(100));
    },
  });
}

test('a stream that ends is read whole', async () => {
  const stream = Readable.from([bytesOf(10), bytesOf(5)]);
  const bytes = await readBytes(bytesOfStream(stream, options()), 100);
  expect([...bytes]).toEqual([...bytesOf(10), ...bytesOf(5)]);
});

test('what it throws is given a code, also where it broke before it was read', async () => {
  const stream = endless();
  const body = bytesOfStream(stream, options());
  stream.destroy(new Error('reset'));
  await new Promise((resolve) => stream.once('close', resolve));
  await expect(readBytes(body, 1_000)).rejects.toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
});

test('leaving early frees the connection', async () => {
  const stream = endless();
  for await (const _ of bytesOfStream(stream, options())) break;
  expect(stream.destroyed).toBe(true);
});

test('an abort frees the connection at once, begun or not, and is what the reader is told', async () => {
  const controller = new AbortController();
  const stream = endless();
  const body = bytesOfStream(stream, options(undefined, controller.signal));
  controller.abort(reason);
  expect(stream.destroyed).toBe(true);
  await expect(readBytes(body, 1_000)).rejects.toBe(reason);
});

test.each([
  ['gives more', [bytesOf(10), bytesOf(5)]],
  ['ends', [bytesOf(10)]],
])('a stream that %s after an abort is not taken for one that was read', async (_, chunks) => {
  const controller = new AbortController();
  // A vendor's, that takes its time to let go.
  const stream = new Readable({ autoDestroy: false, objectMode: true, read: () => undefined });
  stream.destroy = () => stream;
  for (const chunk of [...chunks, null]) stream.push(chunk);
  let read = 0;
  const reading = async (): Promise<void> => {
    for await (const _ of bytesOfStream(stream, options(undefined, controller.signal))) {
      read += 1;
      controller.abort(reason);
    }
  };
  await expect(reading()).rejects.toBe(reason);
  expect(read).toBe(1);
});

test('a stream that does not let go by itself is let go at its end', async () => {
  const stream = new Readable({ autoDestroy: false, read: () => undefined }); // as answers of HTTP
  stream.push(bytesOf(10));
  stream.push(null);
  await readBytes(bytesOfStream(stream, options()), 100);
  expect(stream.destroyed).toBe(true);
});

test('the end of the destination is the end of its bodies', async () => {
  const work = new Work('x://b');
  const stream = endless();
  const body = bytesOfStream(stream, options(work));
  await work.close();
  expect(stream.destroyed).toBe(true);
  await expect(readBytes(body, 1_000)).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
});
