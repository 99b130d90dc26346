/** Threads start and end with databases. */

import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Gauges } from '../../src/database/gauges.ts';
import type { EngineEvent } from '../../src/database/events.ts';
import { completeOptions } from '../../src/replicate/replicate.ts';
import {
  THREADS_MAX,
  threadsFor,
  WatchPool,
  type EngineLink,
} from '../../src/replicate/watch-pool.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const WAIT = { timeout: 60_000, interval: 50 };

function scene() {
  const folder = temporaryFolder();
  const crashes: Error[] = [];
  const pool = new WatchPool((error) => void crashes.push(error));
  onTestFinished(async () => void (await pool.close()));
  /** A missing database, as reported by its thread. */
  const watch = async (name: string): Promise<EngineLink> => {
    const options = completeOptions({ path: path.join(folder, name) });
    const { memory } = Gauges.create(0);
    const { promise, resolve } = Promise.withResolvers<EngineEvent>();
    const link = pool.watch({ options, sentEverywhere: 0n, memory }, resolve);
    expect(await promise).toMatchObject({ kind: 'waiting' });
    return link;
  };
  return { pool, watch, crashes };
}

test('there is one thread per database up to the maximum, and it ends with its last database', async () => {
  const { pool, watch, crashes } = scene();
  expect(pool.size).toBe(0);
  const links: EngineLink[] = [];
  for (let count = 1; count <= THREADS_MAX + 2; count++) {
    links.push(await watch(`${count}.db`));
    expect(pool.size).toBe(Math.min(count, THREADS_MAX));
  }
  // Two of the threads watch two databases.
  await Promise.all(links.slice(0, 2).map((link) => link.close()));
  expect(pool.size).toBe(THREADS_MAX);
  expect(await Promise.all(links.slice(2).map((link) => link.sync()))).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  await Promise.all(links.slice(2).map((link) => link.close()));
  expect(pool.size).toBe(0);
  const again = await watch('again.db');
  expect(pool.size).toBe(1);
  await again.close();
  expect(crashes).toEqual([]);
});

test('a thread shows that it is alive in gauges that all its databases share', async () => {
  const { watch } = scene();
  const links = await Promise.all(
    Array.from({ length: THREADS_MAX + 1 }, (_, index) => watch(`${index}.db`)),
  );
  const [first] = links;
  expect(links.filter(({ thread }) => thread === first?.thread)).toHaveLength(2);
  const ofDatabase = Gauges.create(0);
  ofDatabase.livesIn(first?.thread);
  for (let beat = 0; beat < 2; beat++) {
    const { aliveAt } = ofDatabase.read();
    await expect.poll(() => ofDatabase.read().aliveAt, WAIT).toBeGreaterThan(aliveAt);
  }
  expect(ofDatabase.read().lookedAt).toBe(0);
});

test('very many databases share one thread for each core, but more than one', () => {
  expect([1, 63].map((databases) => threadsFor(databases, 2))).toEqual([THREADS_MAX, THREADS_MAX]);
  expect([1, 2, 3, 64].map((cores) => threadsFor(1_000, cores))).toEqual([2, 2, 3, THREADS_MAX]);
});
