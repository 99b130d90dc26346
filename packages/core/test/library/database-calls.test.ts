/** What a call of an application asks the child process. */

import { expect, test } from 'vitest';
import { DatabaseCalls } from '../../src/library/database-calls.ts';
import type { Supervisor } from '../../src/library/supervisor.ts';

test('durable passes its options on, with the time that is left', async () => {
  const calls: unknown[] = [];
  const supervisor = {
    whenReady: async () => await Promise.resolve(),
    call: async (call: unknown) => {
      calls.push(call);
      return await Promise.resolve({ txid: '0000000000000001', destinations: ['near'] });
    },
  } as unknown as Supervisor;
  const database = new DatabaseCalls(supervisor, '/data/app.db');
  const report = await database.durable({ min: 1, retry: 'now', timeoutMs: 5_000 });
  expect(report.destinations).toEqual(['near']);
  const options = { min: 1, retry: 'now', timeoutMs: expect.any(Number) as number };
  expect(calls).toEqual([{ method: 'durable', path: '/data/app.db', options }]);
});
