/** Staging leaves a reserve on the volume, waits if there is no room, and continues when there is. */

import fs from 'node:fs/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { floorBytes, spareBytes } from '../../src/database/staging/room.ts';
import { TAIL_BYTES_MAX } from '../../src/database/cut/tail.ts';
import { Watched } from './watched.ts';

const MB = 1024 * 1024;

/** Mocks a volume of 1000 MB with this much free space. */
function volumeWith(freeMB: number): (freeMB: number) => void {
  let free = freeMB;
  vi.spyOn(fs, 'statfs').mockImplementation((async () => ({
    bsize: MB,
    blocks: 1000,
    bavail: free,
  })) as never);
  return (now) => (free = now);
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('free space to leave', () => {
  const room = (availableBytes: number) => ({ availableBytes, reserveBytes: 100 });
  test('is a tenth of the volume for every kind of file', () => {
    expect(spareBytes(room(150))).toBe(50);
    expect(spareBytes(room(50))).toBe(-50);
    for (const purpose of ['cut', 'image'] as const) {
      expect(floorBytes(room(250), purpose)).toBe(100);
    }
  });
  test('is half of the rest for a cut if others have used the reserve; no image is made then', () => {
    expect(floorBytes(room(60), 'cut')).toBe(30);
    expect(floorBytes(room(60), 'image')).toBe(100);
  });
});

test('a snapshot without room is reported, and commits are still staged', async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  await watched.next('staged');
  const setFree = volumeWith(99);
  engine.snapshot();
  expect(await watched.next('no-snapshot')).toMatchObject({
    code: 'STAGING_FULL',
    message: expect.stringMatching(
      /^make a full snapshot of a database of \d+ bytes in .*meta-path$/,
    ),
  });
  watched.commit();
  expect(await engine.sync()).toBe(2n);
  setFree(500);
  engine.snapshot();
  await watched.next('staged', ({ content }) => content === 'snapshot');
  expect(watched.all('failed')).toEqual([]);
});

test('a snapshot that runs out of room leaves no files, and commits are still staged', async () => {
  const watched = new Watched();
  watched.commit(20 * MB);
  const engine = watched.start();
  await watched.next('staged');
  const setFree = volumeWith(500);
  const before = watched.all('progress').length;
  engine.snapshot();
  await watched.next('progress', () => watched.all('progress').length > before);
  setFree(99);
  await watched.next('no-snapshot');
  expect(watched.all('progress').length - before).toBeLessThan(20); // it stopped early
  await engine.sync();
  expect(watched.temporary()).toEqual([]);
  watched.commit();
  expect(await engine.sync()).toBe(2n);
});

test('a commit without room is reported once, held, and staged when there is room', async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  await watched.next('staged');
  const setFree = volumeWith(0);
  watched.commit();
  const { message } = await watched.next('full');
  expect(message).toMatch(/^write .*cut-0{15}2\.tmp: .* free some space there, or set meta-path$/);
  expect(watched.temporary()).toEqual([]); // the partial file was removed
  watched.commit();
  const syncing = engine.sync();
  watched.app.pragma('wal_checkpoint(TRUNCATE)'); // held commits do not depend on the log
  setFree(10);
  expect(await syncing).toBe(3n);
  expect(watched.all('full')).toHaveLength(1);
  expect(watched.all('failed')).toEqual([]);
  expect(watched.staged()).toHaveLength(3);
});

test('more commits than can be held are a failure, and everything is staged once there is room', async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  await watched.next('staged');
  await engine.sync();
  const setFree = volumeWith(0);
  watched.commit();
  await watched.next('full');
  watched.commit(TAIL_BYTES_MAX);
  expect(await watched.next('failed')).toMatchObject({ code: 'STAGING_FULL' });
  const from = watched.events.length;
  setFree(500);
  const opened = await watched.next('opened', () => true, from);
  expect(opened.proved).toBe(1n); // the log has not restarted, so it still has everything
  await watched.next('staged', () => true, from);
});

test('close does not wait for room', async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  await watched.next('staged');
  await engine.sync();
  volumeWith(0);
  watched.commit();
  await watched.next('full');
  await engine.close();
  expect(watched.all('failed')).toMatchObject([{ code: 'STAGING_FULL' }]);
});
