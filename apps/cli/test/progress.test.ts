import { expect, test } from 'vitest';
import { ProgressBar } from '../src/progress.ts';
import { Capture } from './support/shell.ts';

function barOn(kind: 'terminal' | 'file') {
  const stream = Object.assign(new Capture(), { isTTY: kind === 'terminal' });
  const clock = { now: 1_000 };
  return { bar: new ProgressBar('restoring', stream, () => clock.now), stream, clock };
}

test('the bar appears after two seconds with share, total and rate', () => {
  const { bar, stream, clock } = barOn('terminal');
  bar.update(1, 4_194_304);
  clock.now += 1_900;
  bar.update(1_048_576, 4_194_304);
  expect(stream.text).toBe('');
  clock.now += 100;
  bar.update(1_048_576, 4_194_304);
  expect(stream.text).toContain(
    'restoring [########......................] 25 % of 4 MiB, 512 KiB/s',
  );
});

test('the bar is redrawn at most five times a second', () => {
  const { bar, stream, clock } = barOn('terminal');
  bar.update(0, 100);
  for (let step = 0; step < 100; step += 1) {
    clock.now += 100;
    bar.update(step, 100);
  }
  expect(stream.text.match(/\r/g)?.length).toBeLessThanOrEqual(45);
});

test('the bar is removed at the end if it was drawn', () => {
  const { bar, stream, clock } = barOn('terminal');
  bar.end();
  expect(stream.text).toBe('');
  bar.update(0, 100);
  clock.now += 5_000;
  bar.update(50, 100);
  bar.end();
  expect(stream.text.endsWith('\r\u001b[K')).toBe(true);
});

test('nothing is drawn without a terminal', () => {
  const { bar, stream, clock } = barOn('file');
  bar.update(0, 100);
  clock.now += 10_000;
  bar.update(50, 100);
  bar.end();
  expect(stream.text).toBe('');
});
