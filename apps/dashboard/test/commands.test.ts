import { expect, test } from 'vitest';
import { AT, BEARER, mount, TOKEN } from './support/mount.ts';
import type { CommandOrder } from '../src/source.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

interface Commanded {
  readonly orders: CommandOrder[];
  readonly send: (body: string, headers?: Record<string, string>) => Promise<Response>;
}

function withCommands(
  run: (order: CommandOrder, signal: AbortSignal) => Promise<unknown>,
): Commanded {
  const { handler, source } = mount({ token: TOKEN });
  const orders: CommandOrder[] = [];
  source.command = async (order, signal) => {
    orders.push(order);
    return await run(order, signal);
  };
  const send: Commanded['send'] = async (body, headers = { ...JSON_TYPE, ...BEARER }) => {
    const response = await handler(
      new Request(`${AT}/api/command`, { method: 'POST', body, headers }),
    );
    if (response === undefined) throw new Error('it is not a path of the page');
    return response;
  };
  return { orders, send };
}

async function linesOf(response: Response): Promise<unknown[]> {
  const lines = (await response.text()).trimEnd().split('\n');
  return lines.map((line): unknown => JSON.parse(line));
}

test('the token runs a command and gets its progress and its answer', async () => {
  const { orders, send } = withCommands(async ({ onProgress }) => {
    onProgress({ done: 1 });
    return { status: 'synced' };
  });
  const response = await send('{"command":"sync","input":{"path":"/data/app.db"}}');
  expect(response.status).toBe(200);
  expect(await linesOf(response)).toEqual([
    { progress: { done: 1 } },
    { answer: { status: 'synced' } },
  ]);
  expect(orders[0]).toMatchObject({ command: 'sync', input: { path: '/data/app.db' } });
});

test.each([
  ['CONFIG_INVALID', 400],
  ['DATABASE_BUSY', 503],
  ['NOT_DURABLE', 504],
  ['REPLICA_UNAVAILABLE', 502],
])('a command that fails with %s at once has status %d', async (code, status) => {
  const { send } = withCommands(async () => {
    throw Object.assign(new Error('why'), { code });
  });
  const response = await send('{"command":"sync"}');
  expect(response.status).toBe(status);
  expect(await linesOf(response)).toEqual([{ error: { code, message: 'why' } }]);
});

test('nothing runs without the token, from another site, or from something that is not a command', async () => {
  const { orders, send } = withCommands(async () => 'done');
  const body = '{"command":"list"}';
  expect((await send(body, JSON_TYPE)).status).toBe(403);
  expect((await send(body, { ...JSON_TYPE, authorization: `Bearer ${TOKEN}x` })).status).toBe(403);
  expect(
    (await send(body, { ...JSON_TYPE, ...BEARER, origin: 'https://evil.example' })).status,
  ).toBe(403);
  expect((await send(body, { ...BEARER, 'content-type': 'text/plain' })).status).toBe(400);
  for (const wrong of [
    '',
    '{',
    'null',
    '[]',
    '{"command":1}',
    `{"command":"${'x'.repeat(20_000)}"}`,
  ]) {
    expect((await send(wrong)).status, wrong.slice(0, 20)).toBe(400);
  }
  expect(orders).toEqual([]);
});

test('a client that closes the connection aborts its command', async () => {
  const aborted = Promise.withResolvers<void>();
  const { send } = withCommands(async ({ onProgress }, signal) => {
    onProgress('begun');
    signal.addEventListener('abort', () => aborted.resolve());
    await aborted.promise;
  });
  const response = await send('{"command":"drill"}');
  await response.body?.cancel();
  await expect(aborted.promise).resolves.toBeUndefined();
});

test('a source without commands says so', async () => {
  const { handler } = mount({ token: TOKEN });
  const request = new Request(`${AT}/api/command`, {
    method: 'POST',
    body: '{"command":"list"}',
    headers: { ...JSON_TYPE, ...BEARER },
  });
  expect((await handler(request))?.status).toBe(404);
});
