/** The state file of a database: written after changes, and its time renewed while nothing changes. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { systemFiles, type FileSystem } from '../../src/file-system.ts';
import { StatusFile } from '../../src/replicate/status/status-file.ts';
import type { DatabaseStatus } from '../../src/replicate/status/status.ts';
import { ageOfWriting, describeWriter } from '../../src/replicate/status/writer.ts';
import { systemClock } from '../../src/clock.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const HEARTBEAT_MS = 10_000;

interface Scene {
  readonly file: string;
  readonly status: StatusFile;
  readonly written: number[];
  readonly touched: number[];
  /** Lets a heartbeat pass. */
  readonly beat: () => Promise<void>;
  readonly setClock: (ms: number) => void;
}

function scene(rest: () => number | undefined, touch?: FileSystem['touch']): Scene {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const folder = temporaryFolder();
  const [written, touched]: [number[], number[]] = [[], []];
  let now = 0;
  let wallMs = Date.now();
  const calls: Promise<unknown>[] = [];
  const files: FileSystem = {
    ...systemFiles,
    touch: async (file, timeMs) => {
      touched.push(now);
      const done = (touch ?? (async (at, ms) => await systemFiles.touch?.(at, ms)))(file, timeMs);
      calls.push(done.catch(() => undefined));
      await done;
    },
  };
  const status = new StatusFile(folder, {
    status: () => {
      written.push(now);
      return { at: String(now) } as DatabaseStatus;
    },
    rest,
    clock: { now: () => wallMs + now, monotonic: () => now },
    files,
    onError: (error) => expect.unreachable(String(error)),
    heartbeatMs: HEARTBEAT_MS,
  });
  onTestFinished(async () => await status.close());
  return {
    ...{ file: path.join(folder, 'status.json'), status, written, touched },
    setClock: (ms) => void (wallMs += ms),
    beat: async () => {
      now += HEARTBEAT_MS;
      const before = written.length + touched.length;
      await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
      await vi.waitFor(() => expect(written.length + touched.length).toBeGreaterThan(before));
      await Promise.all(calls.splice(0));
    },
  };
}

test('a status that still holds is not written again, but its file has the time of the heartbeat', async () => {
  const { beat, file, status, touched, written } = scene(() => 7);
  status.begin();
  await status.write();
  const { length } = written;
  fs.utimesSync(file, 1, 1);
  await beat();
  await beat();
  expect(written).toHaveLength(length);
  expect(touched).toEqual([HEARTBEAT_MS, 2 * HEARTBEAT_MS]);
  expect(Math.abs(fs.statSync(file).mtimeMs - Date.now())).toBeLessThan(60_000);
  expect(status.writtenAt).toBe(2 * HEARTBEAT_MS);
});

test.each([
  ['while it is not at rest', (): undefined => undefined],
  [
    'after a commit',
    (() => {
      let commits = 0;
      return () => (commits += 1);
    })(),
  ],
])('it is written at each heartbeat %s', async (_, rest) => {
  const { beat, status, touched, written } = scene(rest);
  status.begin();
  await status.write();
  const { length } = written;
  await beat();
  await beat();
  expect(touched).toEqual([]);
  expect(written.length).toBeGreaterThanOrEqual(length + 2);
});

test.each([-3_600_000, 3_600_000])('it is written after the clock was set by %i ms', async (ms) => {
  const { beat, file, setClock, status, touched, written } = scene(() => 7);
  status.begin();
  await status.write();
  await beat();
  const { length } = written;
  expect(touched).toHaveLength(1);
  setClock(ms);
  await beat();
  const at = String(2 * HEARTBEAT_MS);
  await vi.waitFor(() => expect(JSON.parse(fs.readFileSync(file, 'utf8'))).toEqual({ at }));
  expect(written.length).toBe(length + 1);
  await vi.waitFor(async () => {
    await beat();
    expect(touched.length).toBeGreaterThanOrEqual(2);
  });
});

test('it is written after a change', async () => {
  const { beat, status, touched, written } = scene(() => 7);
  status.begin();
  await status.write();
  status.touch();
  const { length } = written;
  await beat();
  expect(written.length).toBeGreaterThan(length);
  await status.write();
  const { length: before } = touched;
  await beat();
  expect(touched.length).toBe(before + 1);
});

test('a file that is gone is written again', async () => {
  const { beat, file, status, written } = scene(() => 7);
  status.begin();
  await status.write();
  fs.rmSync(file);
  const { length } = written;
  await beat();
  await vi.waitFor(() => expect(written.length).toBe(length + 1));
  await vi.waitFor(() => expect(fs.existsSync(file)).toBe(true));
});

test('a status is as old as the last time of its file, on this machine', () => {
  const monotonicMs = systemClock.monotonic() - 60_000;
  const writer = { ...describeWriter(systemClock, HEARTBEAT_MS), monotonicMs };
  const at = new Date(Date.now() - 60_000).toISOString();
  const age = (touchedMs?: number, of = writer): number =>
    ageOfWriting(of, at, systemClock, touchedMs);
  expect(age()).toBeGreaterThanOrEqual(60_000);
  expect(age(Date.now() - 5_000)).toBeLessThan(60_000);
  expect(age(Date.now() - 3_600_000)).toBeLessThan(3_600_000);
  expect(age(Date.now() + 3_600_000)).toBeGreaterThanOrEqual(60_000); // the clock was set back
  expect(age(Date.now(), { ...writer, boot: 'another' })).toBeGreaterThanOrEqual(59_000);
});

test('after the clock was set, the time of the file says nothing', () => {
  const now = 1_000_000;
  const clock = { now: () => now - 3_600_000, monotonic: () => 100_000 };
  const writer = { ...describeWriter(clock, HEARTBEAT_MS), monotonicMs: 0 };
  // It was written and touched an hour ahead of the clock, or the clock was set back by just as much.
  const at = new Date(now - 100_000).toISOString();
  expect(ageOfWriting(writer, at, clock, now - 3_600_000 - 1)).toBe(100_000);
});
