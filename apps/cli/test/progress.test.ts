import { expect, test } from 'vitest';
import { ProgressBar, type ProgressOptions } from '../src/progress.ts';
import { Capture } from './support/shell.ts';

const MIB = 1_048_576;

interface Setting {
  readonly bar: ProgressBar;
  readonly stream: Capture;
  /** Lets so much time pass, with the timer's calls. */
  readonly pass: (ms: number) => void;
  readonly timers: number;
}

function barOn(kind: 'terminal' | 'file', form?: ProgressOptions['form']): Setting {
  const stream = Object.assign(new Capture(), { isTTY: kind === 'terminal' });
  const calls = new Set<() => void>();
  let now = 1_000;
  const bar = new ProgressBar('restoring', stream, {
    form,
    now: () => now,
    every: (_ms, callback) => {
      calls.add(callback);
      return () => calls.delete(callback);
    },
  });
  return {
    bar,
    stream,
    pass: (ms) => {
      for (let passed = 0; passed < ms; passed += 100) {
        now += 100;
        for (const call of calls) call();
      }
    },
    get timers() {
      return calls.size;
    },
  };
}

test('the bar appears after two seconds with share, total, rate and the time left', () => {
  const { bar, stream, pass } = barOn('terminal');
  bar.update(0, 4 * MIB);
  bar.update(MIB, 4 * MIB);
  pass(1_900);
  expect(stream.text).toBe('');
  pass(100);
  expect(stream.text).toContain(
    'restoring [########......................] 25 % of 4 MiB, 512 KiB/s, 6s left',
  );
});

test('the bar is redrawn at most five times a second', () => {
  const { bar, stream, pass } = barOn('terminal');
  bar.update(0, 100);
  pass(10_000);
  expect(stream.text.match(/\r/g)?.length).toBeLessThanOrEqual(41);
});

test('the bar is removed at the end if it was drawn, and its timer too', () => {
  const setting = barOn('terminal');
  setting.bar.end();
  expect(setting.stream.text).toBe('');
  setting.bar.update(0, 100);
  setting.pass(5_000);
  setting.bar.end();
  expect(setting.stream.text.endsWith('\r\u001b[K')).toBe(true);
  expect(setting.timers).toBe(0);
});

test('without a terminal nothing is written by default', () => {
  const { bar, stream, pass } = barOn('file');
  bar.update(0, 100);
  pass(10_000);
  bar.end();
  expect(stream.text).toBe('');
});

test('without a terminal, text is a line after two seconds and then every five', () => {
  const { bar, stream, pass } = barOn('file', 'text');
  bar.update(0, 100 * MIB);
  pass(1_900);
  expect(stream.text).toBe('');
  for (let second = 2; second <= 12; second += 1) {
    bar.update(second * MIB, 100 * MIB);
    pass(1_000);
  }
  bar.end();
  expect(stream.text.split('\n')).toEqual([
    expect.stringMatching(/^restoring: 2 % of 100 MiB, .* left$/),
    expect.stringMatching(/^restoring: 7 % of 100 MiB, 1 MiB\/s, 1m33s left$/),
    expect.stringMatching(/^restoring: 12 % of 100 MiB, /),
    '',
  ]);
});

test('a stall is seen: the rate falls to zero and no time is left to tell', () => {
  const { bar, stream, pass } = barOn('file', 'text');
  bar.update(0, 100 * MIB);
  bar.update(50 * MIB, 100 * MIB);
  pass(20_000);
  expect(stream.text.trimEnd().split('\n').at(-1)).toBe('restoring: 50 % of 100 MiB, 0 B/s');
});

test('events are one JSON object a line, a second apart, also on a terminal', () => {
  const { bar, stream, pass } = barOn('terminal', 'events');
  bar.update(0, 4 * MIB);
  bar.update(MIB, 4 * MIB);
  pass(3_000);
  bar.end();
  const events = stream.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(events).toEqual([
    {
      event: 'progress',
      done_bytes: MIB,
      total_bytes: 4 * MIB,
      bytes_per_second: MIB / 2,
      seconds_left: 6,
    },
    expect.objectContaining({ event: 'progress' }),
  ]);
});

test('an operation that begins again has a rate from there', () => {
  const { bar, stream, pass } = barOn('file', 'text');
  bar.update(90 * MIB, 100 * MIB);
  pass(3_000);
  bar.update(0, 100 * MIB);
  pass(1_000);
  bar.update(2 * MIB, 100 * MIB);
  pass(3_100);
  expect(stream.text).not.toContain('-');
});
