import { once } from 'node:events';
import { expect, test } from 'vitest';
import { RequestedWork } from '../../src/daemon/requested-work.ts';

const never = new AbortController().signal;

test('work ends before its database goes; that of others continues', async () => {
  const requested = new RequestedWork();
  const events: string[] = [];
  const cleanedUp = Promise.withResolvers<void>();
  const running = requested.run('/a', never, async (signal) => {
    await once(signal, 'abort');
    await cleanedUp.promise;
    events.push('ended');
    signal.throwIfAborted();
  });
  const other = Promise.withResolvers<string>();
  const continuing = requested.run('/b', never, async (signal) => {
    const result = await other.promise;
    signal.throwIfAborted();
    return result;
  });
  const ended = expect(running).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
  const released = requested.release('/a').then(() => events.push('released'));
  cleanedUp.resolve();
  await Promise.all([released, ended]);
  expect(events).toEqual(['ended', 'released']);
  other.resolve('done');
  expect(await continuing).toBe('done');
  await requested.release('/a'); // there is nothing left
});

test('work ends when its client goes, and when everything is closed', async () => {
  const requested = new RequestedWork();
  const wait = async (signal: AbortSignal): Promise<void> => {
    await once(signal, 'abort');
    signal.throwIfAborted();
  };
  const client = new AbortController();
  const first = requested.run('/a', client.signal, wait);
  const second = requested.run('/a', never, wait);
  client.abort(new Error('the client has gone'));
  await expect(first).rejects.toThrow('the client has gone');
  const ended = expect(second).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
  await requested.close();
  await ended;
  await expect(requested.run('/a', never, wait)).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
});
