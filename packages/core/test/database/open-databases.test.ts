import { expect, test, vi } from 'vitest';
import { OpenDatabases } from '../../src/database/open-databases.ts';
import { Watched } from './watched.ts';

/** Of each wait for an event. */
const WAIT_MS = 30_000;

const wanted = (): boolean => true;

test('databases are opened in turn while there is room', async () => {
  const open = new OpenDatabases(2);
  expect(await open.enterInTurn(wanted)).toBe(true);
  expect(await open.enterInTurn(wanted)).toBe(true);
  const third = open.enterInTurn(wanted);
  let isIn = false;
  void third.then(() => (isIn = true));
  await new Promise(setImmediate);
  expect(isIn).toBe(false);
  open.leave();
  expect(await third).toBe(true);
});

test('a database is opened after a while, however many are open', async () => {
  vi.useFakeTimers();
  try {
    const open = new OpenDatabases(1);
    open.enter();
    const next = open.enterInTurn(wanted);
    await vi.advanceTimersByTimeAsync(250);
    expect(await next).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});

test('one that is not wanted any more does not wait, and does not count', async () => {
  const open = new OpenDatabases(1);
  open.enter();
  expect(await open.enterInTurn(() => false)).toBe(false);
  open.leave();
  expect(open.idleCloseMs(300_000, 'used')).toBe(300_000);
});

test('while many are open, idle ones are closed sooner', () => {
  const open = new OpenDatabases(1);
  expect(open.idleCloseMs(300_000, 'unused')).toBe(300_000);
  open.enter();
  expect(open.idleCloseMs(300_000, 'used')).toBe(30_000);
  expect(open.idleCloseMs(300_000, 'unused')).toBe(200);
  expect(open.idleCloseMs(100, 'used')).toBe(100);
  expect(open.idleCloseMs(0, 'unused')).toBe(0);
});

test(
  'an unused database is closed before the next poll while others wait to be opened',
  { timeout: 3 * WAIT_MS },
  async () => {
    const watched = new Watched();
    watched.commit();
    const first = watched.start({ minCheckpointPageCount: 1 });
    await watched.next('staged');
    await first.sync();
    watched.app.pragma('wal_checkpoint(PASSIVE)');
    await first.close();
    watched.clock.stepWallClock(WAIT_MS); // the file is not new any more
    const options = { idleCloseMs: 10 * WAIT_MS, monitorIntervalMs: 2 * WAIT_MS };
    const engine = watched.start({ ...options, openDatabases: new OpenDatabases(1) });
    await watched.next('opened', ({ proved }) => proved !== undefined);
    await expect.poll(() => watched.gauges.get('idlePollMs'), { timeout: WAIT_MS }).not.toBe(0);
    expect(engine.stats()).toBeUndefined();
  },
);
