/** Calls to a thread: answers by ID, errors with codes, events, and the end of the thread. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Thread, threadScript, type ThreadOptions } from '../../src/threads/thread.ts';
import type { EchoService } from './echo-worker.ts';

function start(options: ThreadOptions<string> = {}): Thread<EchoService, string> {
  const script = threadScript(import.meta.url, 'echo-worker');
  const thread = new Thread<EchoService, string>(script, options);
  onTestFinished(() => thread.close());
  return thread;
}

test('calls are answered in any order, each with its own answer', async () => {
  const thread = start({ data: { given: 1n } });
  const ended: number[] = [];
  const calls = [60, 1, 30].map(async (ms) => {
    expect(await thread.call('later', ms)).toBe(ms);
    ended.push(ms);
  });
  expect(thread.load).toBe(3);
  await Promise.all(calls);
  expect(ended).toEqual([1, 30, 60]);
  expect(thread.load).toBe(0);
  expect(await thread.call('data', undefined)).toEqual({ given: 1n });
});

test('an error keeps its code and message, and the thread continues', async () => {
  const thread = start();
  await expect(thread.call('fail', 'at once')).rejects.toMatchObject({
    code: 'LTX_INVALID',
    message: 'at once',
  });
  await expect(thread.call('fail', 'later')).rejects.toMatchObject({
    code: 'DATABASE_BUSY',
    retryable: true,
  });
  await expect(thread.call('fail', 'without a code')).rejects.toThrow('without a code');
  expect(await thread.call('later', 1)).toBe(1);
});

test('memory is transferred in both directions, not copied', async () => {
  const bytes = new Uint8Array(8);
  const answering = start().call('fill', bytes, [bytes.buffer]);
  expect(bytes.length).toBe(0);
  expect(await answering).toEqual(new Uint8Array(8).fill(7));
});

test('an event arrives before the answer of the call that emitted it', async () => {
  const events: string[] = [];
  const thread = start({ onEvent: (event) => void events.push(event) });
  thread.notify('say', 'first');
  await thread.call('say', 'second');
  expect(events).toEqual(['first', 'second']);
});

test('a crashed thread rejects pending and later calls, and reports its end once', async () => {
  const onEnd = vi.fn();
  const thread = start({ onEnd });
  const waiting = thread.call('later', 60_000);
  thread.notify('die', undefined);
  await expect(waiting).rejects.toThrow('an invariant is broken');
  await expect(thread.call('later', 1)).rejects.toThrow('an invariant is broken');
  await thread.close();
  expect(onEnd).toHaveBeenCalledOnce();
});

test('closing a thread rejects pending calls, and is not a crash', async () => {
  const onEnd = vi.fn();
  const thread = start({ onEnd });
  const waiting = thread.call('later', 60_000);
  await Promise.all([expect(waiting).rejects.toThrow('a thread exited'), thread.close()]);
  expect(onEnd).not.toHaveBeenCalled();
});

test('the script of every thread that core starts exists', () => {
  const src = path.resolve('packages/core/src');
  const sources = fs.readdirSync(src, { recursive: true, encoding: 'utf8' });
  const scripts = sources
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const text = fs.readFileSync(path.join(src, name), 'utf8');
      const calls = text.matchAll(/threadScript\(import\.meta\.url, '([^']+)'\)/g);
      return [...calls].map(([, script]) => path.join(src, path.dirname(name), `${script}.ts`));
    });
  expect(scripts.length).toBeGreaterThanOrEqual(4);
  expect(scripts.filter((script) => !fs.existsSync(script))).toEqual([]);
});
