/**
 * A small volume that fills up: staging leaves room to the application, a destination that comes back
 * gets all there is, and a volume that somebody else has filled heals when there is room again.
 */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { until } from '../support/wait.ts';
import { App, compare, expectAll } from './app.ts';
import { Sidecar } from './sidecar.ts';

const VOLUME_MB = 24;
const MB = 1024 * 1024;

function mountVolume(at: string): void {
  fs.mkdirSync(at, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${VOLUME_MB}m`, 'sluice-test', at]);
  onTestFinished(() => void execFileSync('umount', ['-l', at]));
}

function freeShare(at: string): number {
  const { bavail, blocks } = fs.statfsSync(at);
  return bavail / blocks;
}

/** An application with a database of about 4 kB for each row that stays as large, and its staging folder on a small volume. */
function appOnSmallVolume(rows = 300): { app: App; metaPath: string; change: () => void } {
  const app = new App();
  const volume = path.join(app.folder, 'volume');
  mountVolume(volume);
  app.db.exec('CREATE TABLE b(id INTEGER PRIMARY KEY, v BLOB)');
  const insert = app.db.prepare('INSERT INTO b(v) VALUES (randomblob(3500))');
  for (let row = 0; row < rows; row++) insert.run();
  return {
    app,
    metaPath: path.join(volume, 'meta'),
    change: () => void app.db.prepare('UPDATE b SET v = randomblob(3500) WHERE id <= 300').run(),
  };
}

// A file system of its own needs root.
if (process.getuid?.() === 0) {
  describe('a small volume', () => {
    test('a destination that is out of reach does not fill it, and gets all when it answers', async () => {
      const { app, metaPath, change } = appOnSmallVolume();
      // Merges would make room, whenever their window ends.
      const sidecar = new Sidecar({
        ...app.replicatedTo('a', 'b'),
        options: { metaPath, levels: [] },
      });
      await sidecar.settled();
      await sidecar.setFault('b', 'refusing');
      let least = 1;
      for (let commit = 0; commit < 40; commit++) {
        change();
        await sidecar.settled(['a']);
        least = Math.min(least, freeShare(metaPath));
      }
      // What is just being written comes on top of what may be kept: a commit of a megabyte.
      expect(least).toBeGreaterThan(0.1 - 1.5 / VOLUME_MB);
      expect(
        sidecar.messages.filter((message) => /staging is full: b /.test(message)),
      ).toHaveLength(1);
      // Room is made before it is missed.
      expect(sidecar.messages.filter((message) => message.includes('free space'))).toEqual([]);
      await sidecar.setFault('b', 'none');
      await sidecar.settled();
      await expectAll(app, ['a', 'b']);
    });

    test('a destination that was given up gets its snapshot though staging was full again', async () => {
      const rows = 1500;
      const { app, metaPath, change } = appOnSmallVolume(rows);
      // Merges would make room, whenever their window ends.
      const sidecar = new Sidecar({ ...app.replicatedTo('a'), options: { metaPath, levels: [] } });
      await sidecar.settled();
      await sidecar.setFault('a', 'missing');
      const isGivenUp = (): boolean =>
        sidecar.messages.some((message) => /staging is full: a /.test(message));
      const hasRoom = (): boolean => (freeShare(metaPath) - 0.1) * VOLUME_MB * MB > rows * 3500;
      const commitWhile = async (isSo: () => boolean): Promise<void> => {
        for (let commit = 0; commit < 40 && isSo(); commit++) {
          change();
          await sidecar.staged();
        }
      };
      await commitWhile(() => !isGivenUp());
      await until('what it lacks is freed', hasRoom);
      await commitWhile(hasRoom);
      expect([isGivenUp(), hasRoom()]).toEqual([true, false]);
      await sidecar.setFault('a', 'none');
      await sidecar.says(/make a full snapshot .* bytes may be used/);
      await sidecar.settled();
      await expectAll(app, ['a']);
    });

    test('a destination gets its snapshot though files for one that is out of reach fill the staging', async () => {
      const rows = 1500;
      const { app, metaPath, change } = appOnSmallVolume(rows);
      // Merges would make room, whenever their window ends.
      const sidecar = new Sidecar({
        ...app.replicatedTo('a', 'b'),
        options: { metaPath, levels: [] },
      });
      await sidecar.settled();
      await sidecar.setFault('b', 'refusing');
      const hasRoom = (): boolean => (freeShare(metaPath) - 0.1) * VOLUME_MB * MB > rows * 3500;
      for (let commit = 0; commit < 40 && hasRoom(); commit++) {
        change();
        await sidecar.settled(['a']);
      }
      expect(sidecar.messages.filter((message) => /staging is full/.test(message))).toEqual([]);
      fs.rmSync(path.join(app.bucket('a'), 'ltx'), { recursive: true });
      change();
      await sidecar.says(/make a full snapshot .* bytes may be used/);
      await sidecar.says(/staging is full: b will get a full snapshot instead/);
      await sidecar.settled(['a']);
      await expectAll(app, ['a']);
      await sidecar.setFault('b', 'none');
      await sidecar.settled();
      await expectAll(app, ['a', 'b']);
    });

    test('one that somebody else fills is told of, and heals when there is room', async () => {
      const { app, metaPath, change } = appOnSmallVolume();
      const sidecar = new Sidecar({ ...app.replicatedTo('a'), options: { metaPath } });
      await sidecar.settled();
      const filler = path.join(path.dirname(metaPath), 'somebody-elses');
      fillUp(filler);
      change();
      await sidecar.says(/^write .*free (some )?space/);
      expect(await sidecar.status()).toMatchObject({
        state: 'failing',
        error: { code: 'STAGING_FULL' },
      });
      fs.rmSync(filler);
      change();
      await until('what is committed is at the destination', async () => {
        const there = await app.restored('a').catch(() => undefined);
        return there !== undefined && compare(there, app.bytes()) === 'equal';
      });
      const { state, error } = await sidecar.status();
      expect([state, error]).toEqual(['following', undefined]);
      const of = (words: RegExp): string[] =>
        sidecar.messages.filter((message) => words.test(message));
      expect([of(/free (some )?space/).length, of(/has room again/).length]).toEqual([1, 1]);
    });
  });
}

test('what is staged is sent and freed while the database cannot be followed', async () => {
  const app = new App();
  app.add(500);
  const sidecar = new Sidecar({ ...app.replicatedTo('a', 'b'), options: { levels: [] } });
  await sidecar.settled();
  await sidecar.setFault('b', 'refusing');
  for (let commit = 0; commit < 5; commit++) {
    app.add(1);
    await sidecar.settled(['a']);
  }
  const bytes = app.bytes();
  for (const side of ['', '-wal', '-shm']) {
    fs.renameSync(`${app.path}${side}`, path.join(app.folder, `moved${side}`));
  }
  await sidecar.says(/^waiting: .* does not exist yet/);
  await sidecar.setFault('b', 'none');
  await until('b has what was staged', async () => {
    const there = await app.restored('b').catch(() => undefined);
    return there !== undefined && compare(there, bytes) === 'equal';
  });
  await until('it is freed', async () => (await sidecar.status()).stagedFiles === 1);
});

/** Leaves nothing free. */
function fillUp(file: string): void {
  const descriptor = fs.openSync(file, 'w');
  const block = Buffer.alloc(MB / 4);
  try {
    for (;;) fs.writeSync(descriptor, block);
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
  } finally {
    fs.closeSync(descriptor);
  }
}
