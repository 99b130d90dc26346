import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ProgressLine } from '../src/check-progress.ts';
import { Capture } from './support/shell.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const CLEAR = '\r\u001b[K';

function drawnOn(kind: 'terminal' | 'file'): { line: ProgressLine; stream: Capture } {
  const stream = Object.assign(new Capture(), { isTTY: kind === 'terminal' });
  return { line: new ProgressLine('  s3', stream), stream };
}

test('a step longer than two seconds is shown with its progress', () => {
  const { line, stream } = drawnOn('terminal');
  line.update({ feature: 'large', doneBytes: 0, totalBytes: 2_097_152 });
  vi.advanceTimersByTime(1_900);
  expect(stream.text).toBe('');
  line.update({ feature: 'large', doneBytes: 1_048_576, totalBytes: 2_097_152 });
  vi.advanceTimersByTime(200);
  const drawn = '\r  s3 large: 1 MiB of 2 MiB, 2 s\u001b[K';
  expect(stream.text).toBe(drawn);
  line.clear();
  expect(stream.text).toBe(drawn + CLEAR);
});

test('a step without progress is shown too, and each step has its own start time', () => {
  const { line, stream } = drawnOn('terminal');
  line.update({ feature: 'reach', doneBytes: 0, totalBytes: 0 });
  vi.advanceTimersByTime(3_000);
  expect(stream.text).toContain('\r  s3 reach: 3 s\u001b[K');
  line.clear();
  const before = stream.text;
  line.update({ feature: 'write', doneBytes: 0, totalBytes: 0 });
  vi.advanceTimersByTime(1_900);
  expect(stream.text).toBe(before);
});

test('the line is removed at the end', () => {
  const { line, stream } = drawnOn('terminal');
  line.update({ feature: 'reach', doneBytes: 0, totalBytes: 0 });
  vi.advanceTimersByTime(2_000);
  line[Symbol.dispose]();
  const before = stream.text;
  expect(before.endsWith(CLEAR)).toBe(true);
  vi.advanceTimersByTime(5_000);
  expect(stream.text).toBe(before);
});

test('nothing is drawn without a terminal', () => {
  const { line, stream } = drawnOn('file');
  line.update({ feature: 'reach', doneBytes: 0, totalBytes: 0 });
  vi.advanceTimersByTime(5_000);
  line[Symbol.dispose]();
  expect(stream.text).toBe('');
});
