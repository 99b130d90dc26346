import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LookLoop, UNWATCHED_POLL_MS, type Look } from '../../src/database/loop.ts';
import { QUIET_MS, SETTLE_MS_MAX, STILL_MS } from '../../src/database/settle.ts';

/** Listeners of the open watchers. */
const listeners = new Set<() => void>();
let looks = 0;
let log = 0;
let isBehind = false;
const notices: string[] = [];
let dueInMs = Infinity;
let loop: LookLoop;

function watch(_: string, __: object, listener: () => void): object {
  listeners.add(listener);
  return { on: () => undefined, close: () => listeners.delete(listener) };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  vi.spyOn(fs, 'watch').mockImplementation(watch as never);
  notices.length = 0;
  looks = 0;
  log = 1;
  dueInMs = Infinity;
  loop = new LookLoop({
    files: ['app.db-wal'],
    pollMs: 60_000,
    syncIntervalMs: 1_000,
    clock: { now: () => 0, monotonic: () => performance.now() },
    check: () => undefined,
    dueInMs: () => dueInMs,
    onError: (error) => expect(error).toBeUndefined(),
    onNotice: (_, message) => void notices.push(message),
    look: (): Look => {
      looks += 1;
      return {
        log,
        checkpointed: 0,
        isHeld: true,
        isBehind,
        isQuiet: true,
        fresh: 0,
        freshBytes: 0,
        isAtRest: false,
      };
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

test('a commit soon after another is seen when the file changes, not at the next scheduled look', () => {
  vi.advanceTimersByTime(STILL_MS + 2 * SETTLE_MS_MAX);
  expect(listeners.size).toBe(1);
  const before = looks;
  writeToFile();
  expect(listeners.size).toBe(0);
  vi.advanceTimersByTime(1);
  expect(looks).toBe(before + 1);
});

test('files are not watched during constant commits', () => {
  for (let commit = 0; commit < 50; commit++) {
    log += 1;
    vi.advanceTimersByTime(SETTLE_MS_MAX);
    expect(listeners.size).toBe(0);
  }
});

test('a look that leaves frames unread is followed immediately by another', () => {
  isBehind = true;
  vi.advanceTimersByTime(1);
  const before = looks;
  vi.advanceTimersByTime(5);
  expect(looks).toBeGreaterThanOrEqual(before + 5);
  isBehind = false;
});

test('a cut that is due before the next scheduled look is made on time', () => {
  vi.advanceTimersByTime(2 * SETTLE_MS_MAX);
  dueInMs = 3;
  vi.advanceTimersByTime(SETTLE_MS_MAX);
  const before = looks;
  vi.advanceTimersByTime(3);
  expect(looks).toBe(before + 1);
});

test('after the log has settled, files are watched instead of polled', () => {
  vi.advanceTimersByTime(QUIET_MS + 2 * SETTLE_MS_MAX);
  const before = looks;
  vi.advanceTimersByTime(30_000);
  expect(looks).toBe(before);
  expect(listeners.size).toBe(1);
  writeToFile();
  vi.advanceTimersByTime(1);
  expect(looks).toBe(before + 1);
});

describe('without file watchers', () => {
  const refuse = (code: string): void => {
    vi.mocked(fs.watch).mockImplementation(() => {
      throw Object.assign(new Error(`${code}: too many open files, watch`), { code });
    });
  };

  test.for(['EMFILE', 'ENOSPC'])(
    'because of %s, files are polled often, with one warning',
    (code) => {
      refuse(code);
      vi.advanceTimersByTime(QUIET_MS + 2 * SETTLE_MS_MAX);
      for (let commit = 0; commit < 3; commit++) {
        log += 1;
        const before = looks;
        vi.advanceTimersByTime(UNWATCHED_POLL_MS);
        expect(looks).toBeGreaterThan(before);
        vi.advanceTimersByTime(QUIET_MS + 2 * SETTLE_MS_MAX);
      }
      expect(notices).toEqual([
        expect.stringMatching(new RegExp(`${code}.*every 100 ms.*inotify`)),
      ]);
    },
  );

  test('files are watched again as soon as that is possible', () => {
    refuse('EMFILE');
    vi.advanceTimersByTime(QUIET_MS + 2 * SETTLE_MS_MAX);
    vi.mocked(fs.watch).mockImplementation(watch as never);
    loop.wake();
    vi.advanceTimersByTime(QUIET_MS + 2 * SETTLE_MS_MAX);
    expect(listeners.size).toBe(1);
    expect(notices).toHaveLength(2);
    const before = looks;
    vi.advanceTimersByTime(30_000);
    expect(looks).toBe(before);
  });
});
