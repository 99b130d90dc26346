/** A writer that never pauses, and checkpoints as SQLite does by itself: its log must not grow for ever. */

import { fork } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { answer } from '../figures/bench.ts';
import { App, expectAll } from './app.ts';
import { Sidecar } from './sidecar.ts';

const WRITER = path.join(import.meta.dirname, '..', 'figures', 'load-writer.mjs');
const SECONDS = 8;
const LOOK_MS = 20;
/** A barrier is tried from 12 MB on; a slow disk may keep it waiting. A log that grows is far beyond. */
const WAL_BYTES_MAX = 96 * 1024 * 1024;
/** So that doing nothing does not pass: fewer transactions make no log worth the test. */
const TRANSACTIONS_MIN = 2_000;

test('the log of a writer that never pauses is restarted again and again', async () => {
  const app = new App();
  app.add(10);
  const sidecar = new Sidecar(app.replicatedTo('a'));
  await sidecar.settled();
  const writer = fork(WRITER, [app.path, String(SECONDS)]);
  let longest = 0;
  const looking = setInterval(() => {
    longest = Math.max(longest, fs.statSync(`${app.path}-wal`).size);
  }, LOOK_MS);
  const [told] = (await answer(writer)) as [{ transactions: number }];
  clearInterval(looking);
  expect(told.transactions).toBeGreaterThan(TRANSACTIONS_MIN);
  expect(longest).toBeLessThan(WAL_BYTES_MAX);
  await sidecar.settled();
  await expectAll(app, ['a']);
});
