/**
 * A power loss under `synchronous=NORMAL`: the database comes back some commits older than its replicas.
 * Replication continues above them, and the commits that the database lost can still be restored.
 */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { App, compare } from './app.ts';
import { Sidecar } from './sidecar.ts';

/** Effect of the power loss on the staging folder, which is fsynced, unlike the database. */
const STAGING = {
  'is intact': () => undefined,
  'is lost': (folder) => fs.rmSync(folder, { recursive: true }),
  'has lost its position': (folder) => fs.rmSync(path.join(folder, 'position')),
} satisfies Record<string, (folder: string) => void>;

test.for(Object.keys(STAGING) as (keyof typeof STAGING)[])(
  'after a power loss rolled the database back, old and new commits can be restored; the staging folder %s',
  async (staging) => {
    const app = new App();
    app.add(1000);
    const first = new Sidecar(app.replicatedTo('a', 'b'));
    await first.settled();
    app.copy('at-the-last-fsync');
    for (let commit = 0; commit < 10; commit++) {
      app.add(20);
      app.change(`${commit}`);
      await first.settled();
    }
    const lost = await first.settled();
    const lostBytes = app.bytes();
    await first.kill();
    app.putBack('at-the-last-fsync');
    STAGING[staging](path.join(app.folder, '.app.db-sluice'));

    const second = new Sidecar(app.replicatedTo('a', 'b'));
    expect((await second.beginning()).kind).toBe('full snapshot');
    const next = await second.settled();
    expect(next).toBeGreaterThan(lost);
    app.add(5);
    await second.settled();
    const bytes = app.bytes();
    for (const name of ['a', 'b']) {
      expect(compare(await app.restored(name), bytes)).toBe('equal');
      expect(compare(await app.restored(name, lost), lostBytes)).toBe('equal');
    }
  },
);

test('after a power loss rolled back pages of the same file, only those are sent; old and new commits can be restored', async () => {
  const app = new App();
  app.add(3000);
  app.db.pragma('wal_checkpoint(TRUNCATE)');
  const first = new Sidecar(app.replicatedTo('a', 'b'));
  await first.settled();
  app.copy('at-the-last-fsync');
  app.add(100);
  const lost = await first.settled();
  const lostBytes = app.bytes();
  await first.kill();
  app.close();
  for (const side of ['-wal', '-shm']) fs.rmSync(app.path + side, { force: true });
  execFileSync('cp', [path.join(app.folder, 'at-the-last-fsync'), app.path]);

  const second = new Sidecar(app.replicatedTo('a', 'b'));
  expect((await second.beginning()).kind).toBe('changed pages');
  expect(await second.settled()).toBeGreaterThan(lost);
  app.add(5);
  await second.settled();
  const bytes = app.bytes();
  for (const name of ['a', 'b']) {
    expect(compare(await app.restored(name), bytes)).toBe('equal');
    expect(compare(await app.restored(name, lost), lostBytes)).toBe('equal');
  }
});
