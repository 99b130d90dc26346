/** Comparisons that end in a full snapshot, and orders to begin that arrive late. */

import { setImmediate as immediate } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { Connections } from '../../../src/database/sqlite/connections.ts';
import { Watched } from '../watched.ts';

const PAGE_SIZE = 4096;

/** A first run with a full snapshot and page checksums. */
async function firstRun(watched: Watched, sizeBytes: number): Promise<void> {
  watched.commit(sizeBytes);
  const engine = watched.start();
  await watched.next('staged', ({ content }) => content === 'image');
  await engine.sync();
  await engine.close();
}

test('a comparison that gives up holds no pages in memory', async () => {
  const watched = new Watched();
  await firstRun(watched, 100_000);
  for (let count = 0; count < 16; count++) watched.commit(1_000_000); // grows 160 times
  watched.app.pragma('wal_checkpoint(TRUNCATE)');
  const spy = vi.spyOn(Connections.prototype, 'readFile');
  const from = watched.events.length;
  const engine = watched.start({ unproved: 'changes' });
  await watched.next('staged', ({ content }) => content === 'image', from);
  await engine.close();
  const singlePages = spy.mock.calls.filter(([into]) => into.length === PAGE_SIZE);
  spy.mockRestore();
  expect(singlePages.length).toBeLessThan(100);
});

test('an order to begin that arrives late is ignored', async () => {
  const watched = new Watched();
  await firstRun(watched, 1_000_000);
  watched.commit();
  watched.app.pragma('wal_checkpoint(TRUNCATE)');
  watched.commit();
  watched.app.pragma('wal_checkpoint(TRUNCATE)');
  const from = watched.events.length;
  const engine = watched.start({ unproved: 'image' });
  const opened = await watched.next('opened', () => true, from);
  await immediate(); // the first order has arrived
  engine.begin({ mode: 'changes', floor: opened.lastTXID, why: 'a second order' });
  await watched.next('staged', ({ content }) => content === 'image', from);
  for (let count = 0; count < 3; count++) {
    watched.commit();
    await engine.sync();
  }
  await engine.close();
  const events = watched.events.slice(from);
  const txids = events.flatMap((event) => (event.kind === 'staged' ? [event.file.maxTXID] : []));
  expect(new Set(txids).size).toBe(txids.length);
  expect(events.map(({ kind }) => kind)).not.toContain('compared');
});
