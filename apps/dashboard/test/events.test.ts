import { expect, test } from 'vitest';
import type { Tick } from '../src/feed.ts';
import { failingStatus, status } from './support/fake-source.ts';
import { mount } from './support/mount.ts';

/** Reads messages until `count` have arrived. */
async function* messages(response: Response): AsyncGenerator<Tick> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const [event, data = ''] = text.slice(0, end).split('\n');
      expect(event).toBe('event: status');
      yield JSON.parse(data.replace(/^data: /, '')) as Tick;
      text = text.slice(end + 2);
    }
  }
}

async function next(ticks: AsyncGenerator<Tick>): Promise<Tick> {
  const { value, done } = await ticks.next();
  if (done === true) throw new Error('the stream has ended');
  return value;
}

test('sends all rows first, then those that have changed, and those that are gone', async () => {
  const { get, source } = mount();
  const response = await get('/api/events');
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const ticks = messages(response);
  const first = await next(ticks);
  expect([first.isAll, first.rows.length]).toEqual([true, 2]);
  expect(first.nextMs).toBeGreaterThanOrEqual(20);
  const second = await next(ticks);
  expect([second.isAll, second.rows, second.removed]).toEqual([false, [], []]);
  source.statuses = [failingStatus('/data/app.db'), status('/data/b.db')];
  let changed = await next(ticks);
  while (changed.rows.length === 0) changed = await next(ticks);
  expect(changed.rows.map(({ path, healthy }) => [path, healthy])).toContainEqual([
    '/data/app.db',
    false,
  ]);
  source.statuses = [];
  let removed = await next(ticks);
  while (removed.removed.length === 0) removed = await next(ticks);
  expect(removed.removed).toEqual(['/data/app.db', '/data/b.db']);
  await ticks.return(undefined);
});

test('a source that fails is said, and the next reading that succeeds too', async () => {
  const { get, source } = mount();
  const ticks = messages(await get('/api/events'));
  await next(ticks);
  source.failure = new Error('the socket is gone');
  let tick = await next(ticks);
  while (tick.unreadable === undefined) tick = await next(ticks);
  expect(tick.unreadable).toBe('the socket is gone');
  source.failure = undefined;
  while (tick.unreadable !== undefined) tick = await next(ticks);
  expect(tick.rows).toEqual([]);
  await ticks.return(undefined);
});

test('nothing is read while no page is open', async () => {
  const { get, source } = mount();
  let readings = 0;
  const original = source.status.bind(source);
  source.status = async () => {
    readings += 1;
    return await original();
  };
  const ticks = messages(await get('/api/events'));
  await next(ticks);
  await next(ticks);
  await ticks.return(undefined);
  const after = readings;
  await new Promise((resolve) => setTimeout(resolve, 200)); // ten intervals
  expect(readings).toBeLessThanOrEqual(after + 1);
  const again = messages(await get('/api/events'));
  expect((await next(again)).isAll).toBe(true);
  await again.return(undefined);
});

test('a page never gets what was read before it was opened', async () => {
  const { get, source } = mount();
  const ticks = messages(await get('/api/events'));
  await next(ticks);
  await ticks.return(undefined);
  source.statuses = [failingStatus('/data/app.db')];
  const again = messages(await get('/api/events'));
  expect((await next(again)).rows).toMatchObject([{ path: '/data/app.db', healthy: false }]);
  await again.return(undefined);
});

test('a page that does not read gets the newest state later, not a queue', async () => {
  const { get, source } = mount();
  const slow = await get('/api/events');
  const ticks = messages(await get('/api/events'));
  let newest = '';
  for (let count = 1; count <= 12; count += 1) {
    newest = count.toString(16).padStart(16, '0');
    source.statuses = [status('/data/app.db', { txid: newest })];
    let tick = await next(ticks);
    while (tick.rows[0]?.txid !== newest) tick = await next(ticks);
  }
  await ticks.return(undefined);
  const late = messages(slow);
  expect((await next(late)).isAll).toBe(true); // it was waiting since the start
  expect((await next(late)).rows[0]?.txid).toBe(newest);
  await late.return(undefined);
});

test('too many open pages are refused', async () => {
  const { get } = mount();
  const open: Response[] = [];
  for (let count = 0; count < 64; count += 1) open.push(await get('/api/events'));
  expect((await get('/api/events')).status).toBe(503);
  await open[0]?.body?.cancel();
  const again = await get('/api/events');
  expect(again.status).toBe(200);
  for (const each of [...open.slice(1), again]) await each.body?.cancel();
});
