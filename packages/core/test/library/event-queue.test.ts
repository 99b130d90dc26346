import { expect, test } from 'vitest';
import { EventQueues } from '../../src/library/event-queue.ts';
import type { SluiceEvent } from '../../src/library/events.ts';

function warning(number: number): SluiceEvent {
  return { kind: 'warning', message: String(number) };
}

test('each reader gets the events since it began, the first one also those before', async () => {
  const queues = new EventQueues();
  queues.push(warning(1));
  const first = queues.open();
  const second = queues.open();
  queues.push(warning(2));
  queues.close();
  expect(await Array.fromAsync(first)).toEqual([warning(1), warning(2)]);
  expect(await Array.fromAsync(second)).toEqual([warning(2)]);
});

test('a reader that waits gets the next event, and the end', async () => {
  const queues = new EventQueues();
  const reader = queues.open();
  const [event, end] = [reader.next(), reader.next()];
  queues.push(warning(1));
  queues.close();
  expect(await event).toEqual({ value: warning(1), done: false });
  expect(await end).toEqual({ value: undefined, done: true });
});

test('a slow reader is told how many events it has missed', async () => {
  const queues = new EventQueues();
  const reader = queues.open();
  for (let number = 0; number < 1_002; number += 1) queues.push(warning(number));
  expect((await reader.next()).value).toEqual({ kind: 'missed', count: 2 });
  expect((await reader.next()).value).toEqual(warning(2));
  queues.close();
  expect(await Array.fromAsync(reader)).toHaveLength(999);
});

test('a reader that leaves its loop gets nothing more', async () => {
  const queues = new EventQueues();
  const reader = queues.open();
  queues.push(warning(1));
  for await (const event of reader) {
    expect(event).toEqual(warning(1));
    break;
  }
  queues.push(warning(2));
  expect(await reader.next()).toEqual({ value: undefined, done: true });
});

test('a second reader that comes after the end gets nothing', async () => {
  const queues = new EventQueues();
  queues.push(warning(1));
  queues.close();
  expect(await Array.fromAsync(queues.open())).toEqual([warning(1)]);
  expect(await Array.fromAsync(queues.open())).toEqual([]);
});
