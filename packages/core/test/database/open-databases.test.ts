import { expect, test, vi } from 'vitest';
import { OpenDatabases } from '../../src/database/open-databases.ts';

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
