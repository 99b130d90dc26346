/** An application that checkpoints each commit immediately. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Watched } from './watched.ts';

const SYNCS = 300;

test('a commit that is backfilled before it is held does not count as a foreign write', async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  await watched.next('staged');
  const script = path.join(import.meta.dirname, 'busy-commits.mjs');
  const application = fork(script, [watched.path]);
  onTestFinished(() => void application.kill('SIGKILL'));
  await once(application, 'message');
  for (let syncs = 0; syncs < SYNCS; syncs++) await engine.sync();
  expect(watched.all('failed')).toEqual([]);
});
