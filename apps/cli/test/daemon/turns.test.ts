import { expect, test } from 'vitest';
import { Turns } from '../../src/daemon/turns.ts';

test('work of one key takes turns, and a failure does not hold up the next', async () => {
  const turns = new Turns();
  const order: string[] = [];
  const first = Promise.withResolvers<void>();
  const running = turns.run('a', async () => {
    await first.promise;
    order.push('first');
    throw new Error('it failed');
  });
  const next = turns.run('a', async () => order.push('second'));
  await turns.run('b', async () => order.push('other'));
  first.resolve();
  await expect(running).rejects.toThrow('it failed');
  await next;
  expect(order).toEqual(['other', 'first', 'second']);
  await turns.settled();
});

test('work that is aborted before its turn is never run, and does not wait for it', async () => {
  const turns = new Turns();
  const first = Promise.withResolvers<string>();
  const running = turns.run('a', async () => first.promise);
  const aborting = new AbortController();
  let hasRun = false;
  const work = async (): Promise<void> => {
    hasRun = true;
  };
  const waiting = turns.run('a', work, aborting.signal);
  aborting.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough'); // while the first one runs
  await expect(turns.run('a', work, aborting.signal)).rejects.toThrow('enough');
  first.resolve('done');
  expect(await running).toBe('done');
  await turns.settled();
  expect(hasRun).toBe(false);
});

test('work that has begun is waited for, although it is aborted', async () => {
  const turns = new Turns();
  const aborting = new AbortController();
  const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let hasEnded = false;
  const work = async (): Promise<void> => {
    begun.resolve();
    await end.promise;
    hasEnded = true;
  };
  const running = turns.run('a', work, aborting.signal);
  await begun.promise;
  aborting.abort(new Error('enough'));
  end.resolve();
  await running;
  expect(hasEnded).toBe(true);
});
