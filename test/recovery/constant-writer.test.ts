/** The WAL of a writer that never pauses, with SQLite's automatic checkpoints, must not grow forever. */

import { fork } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { answer } from '../figures/bench.ts';
import { App, expectAll } from './app.ts';
import { Sidecar } from './sidecar.ts';

const WRITER = path.join(import.meta.dirname, '..', 'figures', 'load-writer.mjs');
const SECONDS = 8;
const POLL_MS = 20;
/** A restart is tried from 12 MB on and may wait for a slow disk. A WAL that only grows gets far larger. */
const WAL_BYTES_MAX = 96 * 1024 * 1024;
/** Minimum load: fewer transactions would not fill a WAL, and the test would pass without a restart. */
const TRANSACTIONS_MIN = 2_000;

test('the WAL stays bounded beside a writer that never pauses', async () => {
  const app = new App();
  app.add(10);
  const sidecar = new Sidecar(app.replicatedTo('a'));
  await sidecar.settled();
  const writer = fork(WRITER, [app.path, String(SECONDS)]);
  let longest = 0;
  const polling = setInterval(() => {
    longest = Math.max(longest, fs.statSync(`${app.path}-wal`).size);
  }, POLL_MS);
  const [result] = (await answer(writer)) as [{ transactions: number }];
  clearInterval(polling);
  expect(result.transactions).toBeGreaterThan(TRANSACTIONS_MIN);
  expect(longest).toBeLessThan(WAL_BYTES_MAX);
  await sidecar.settled();
  await expectAll(app, ['a']);
});
