import { expect, test } from 'vitest';
import { bodyFromBytes, isError } from '@sluice/core/backend';
import { memoryClient } from '@sluice/core/backend/testing';
import { CallCounter, Calls } from '../src/counted-client.ts';
import { cleanError, Secrets } from '../src/secrets.ts';

function scene(onError: (error: unknown) => void = () => undefined) {
  const counter = new CallCounter(onError);
  const calls = new Calls();
  counter.count('app', calls);
  return { calls, client: counter.counted(memoryClient()) };
}

const figures = ({ counts, readBytes, writtenBytes }: Calls): unknown => ({
  counts: Object.fromEntries(
    counts.map(({ operation, result, count }) => [`${operation} ${result}`, count]),
  ),
  readBytes,
  writtenBytes,
});

test('calls and their bytes count for the replica that they name', async () => {
  const { calls, client } = scene();
  const root = 'app';
  await client.put('app/a', bodyFromBytes(new Uint8Array(100)), { root });
  await client.put('app/b', bodyFromBytes(new Uint8Array(10)), { root });
  await client.put('other/b', bodyFromBytes(new Uint8Array(1_000)), { root: 'other' });
  for await (const _ of client.list('app/', { root }));
  const { body } = await client.get('app/a', { root });
  for await (const _ of body);
  await client.delete(['app/a'], { root });
  expect(figures(calls)).toEqual({
    counts: { 'put ok': 2, 'list ok': 1, 'get ok': 1, 'delete ok': 1 },
    ...{ readBytes: 100, writtenBytes: 110 },
  });
});

test('a call that fails counts as an error, and its error is seen before it is thrown', async () => {
  const seen: unknown[] = [];
  const { calls, client } = scene((error) => seen.push(error));
  const reading = client.get('app/missing', { root: 'app' });
  await expect(reading).rejects.toSatisfy((error) => isError(error, 'REPLICA_NOT_FOUND'));
  expect(figures(calls)).toMatchObject({ counts: { 'get error': 1 } });
  expect(seen.length).toBe(1);
});

test('a listing that is left early is no error, and its source ends', async () => {
  const { calls, client } = scene();
  const root = 'app';
  for (const name of ['a', 'b']) {
    await client.put(`app/${name}`, bodyFromBytes(new Uint8Array(1)), { root });
  }
  for await (const _ of client.list('app/', { root })) break;
  expect(figures(calls)).toMatchObject({ counts: { 'list ok': 1 } });
});

test('the return of a body reaches its source during a read that hangs', async () => {
  const returned = Promise.withResolvers<void>();
  const hanging = {
    ...memoryClient(),
    get: () =>
      Promise.resolve({
        sizeBytes: 1,
        body: {
          [Symbol.asyncIterator]: () => ({
            next: () => new Promise<never>(() => undefined),
            return: () => {
              returned.resolve();
              return Promise.resolve({ done: true as const, value: undefined });
            },
          }),
        },
      }),
  };
  const { body } = await new CallCounter(() => undefined).counted(hanging).get('a');
  const iterator = body[Symbol.asyncIterator]();
  void iterator.next();
  void iterator.return?.();
  await returned.promise;
});

test('a secret in the message of an error, in its stack and in its causes is removed', () => {
  const secrets = new Secrets();
  secrets.add('hunter22');
  const error = new Error('outer hunter22', { cause: new Error('inner hunter22') });
  cleanError(error, secrets);
  const text = [error.message, error.stack, (error.cause as Error).message].join(' ');
  expect(text).not.toContain('hunter22');
  expect(error.message).toBe('outer [redacted]');
  const circular = new Error('x');
  circular.cause = circular;
  cleanError(circular, secrets);
  cleanError(Object.freeze(new Error('hunter22')), secrets); // cannot be changed, and does not throw
});
