import fs from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LookLoop, type Look } from '../../src/database/loop.ts';
import { QUIET_MS, SETTLE_MS_MAX, STILL_MS } from '../../src/database/settle.ts';

/** Listeners of the watchers that are open. */
const listeners = new Set<() => void>();
let looks = 0;
let log = 0;
let loop: LookLoop;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  vi.spyOn(fs, 'watch').mockImplementation(((_: string, __: object, listener: () => void) => {
    listeners.add(listener);
    return { on: () => undefined, close: () => listeners.delete(listener) };
  }) as never);
  looks = 0;
  log = 1;
  loop = new LookLoop({
    files: ['app.db-wal'],
    pollMs: 60_000,
    clock: { now: () => 0, monotonic: () => performance.now() },
    check: () => undefined,
    dueInMs: () => Infinity,
    onError: (error) => expect(error).toBeUndefined(),
    look: (): Look => {
      looks += 1;
      return { log, checkpointed: 0, quiet: true, fresh: 0, atRest: false };
    },
  });
  loop.wake();
});

afterEach(() => {
  loop.stop();
  expect(listeners.size).toBe(0);
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function writeToFile(): void {
  for (const listener of listeners) listener();
}

test('a commit soon after another is looked at when the file changes, not at the next turn', () => {
  vi.advanceTimersByTime(STILL_MS + 2 * SETTLE_MS_MAX);
  expect(listeners.size).toBe(1);
  const before = looks;
  writeToFile();
  expect(listeners.size).toBe(0);
  vi.advanceTimersByTime(1);
  expect(looks).toBe(before + 1);
});

test('while commits follow each other nothing is watched', () => {
  for (let commit = 0; commit < 50; commit++) {
    log += 1;
    vi.advanceTimersByTime(SETTLE_MS_MAX);
    expect(listeners.size).toBe(0);
  }
});

test('when all has settled the files are watched, and not looked at', () => {
  vi.advanceTimersByTime(QUIET_MS + 2 * SETTLE_MS_MAX);
  const before = looks;
  vi.advanceTimersByTime(30_000);
  expect(looks).toBe(before);
  expect(listeners.size).toBe(1);
  writeToFile();
  vi.advanceTimersByTime(1);
  expect(looks).toBe(before + 1);
});
