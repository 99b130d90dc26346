/** Situations in which an image is sent, each with what there is before and what follows it. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { App } from './app.ts';
import { Sidecar } from './sidecar.ts';

export interface CutScene {
  readonly what: string;
  /** Files that the image of TXID n is sent as, in their order. */
  readonly order: readonly string[];
  /** Puts destination `a` into its state. Gives what it restores to; undefined where nothing is there. */
  readonly prepare: (app: App) => Promise<Buffer | undefined>;
}

const GOLDEN = path.resolve(import.meta.dirname, '../fixtures/golden');

export const CUT_SCENES: readonly CutScene[] = [
  {
    what: 'the first image of all',
    order: ['0/n-n', '9/1-n'],
    prepare: async (app) => {
      app.add(500);
      return await Promise.resolve(undefined);
    },
  },
  {
    what: 'an image after lost continuity, over what is ours',
    order: ['0/n-n', '9/1-n'],
    prepare: async (app) => {
      const before = await replicate(app);
      app.add(5);
      app.db.pragma('wal_checkpoint(RESTART)');
      app.add(5);
      return before;
    },
  },
  {
    what: 'an image of another page size: a seam',
    order: ['9/1-n', '1/1-n', '0/n-n'],
    prepare: async (app) => {
      const before = await replicate(app);
      app.db.pragma('journal_mode=delete');
      app.db.pragma('page_size=1024');
      app.db.exec('VACUUM');
      app.db.pragma('journal_mode=wal');
      app.add(5);
      return before;
    },
  },
  {
    what: 'an image over what Litestream left, with its levels: a jump',
    order: ['9/1-n', '1/16-n', '2/16-n', '0/n-n'],
    prepare: async (app) => {
      const golden = path.join(GOLDEN, 'block-64k-autovacuum', 'bucket');
      fs.cpSync(golden, app.bucket('a'), { recursive: true });
      app.add(500);
      return await app.restored('a');
    },
  },
  {
    what: 'an image above what is ours, by a jump',
    order: ['9/1-n', '1/1-n', '0/n-n'],
    prepare: async (app) => {
      await replicate(app);
      // Another destination is ahead: TXIDs go on above it, also here.
      const ahead = path.join(app.bucket('b'), 'ltx', '0');
      fs.mkdirSync(ahead, { recursive: true });
      const [newest = ''] = fs
        .readdirSync(path.join(app.bucket('a'), 'ltx', '0'))
        .sort()
        .slice(-1);
      const name = '0000000000000100-0000000000000100.ltx';
      execFileSync('cp', [path.join(app.bucket('a'), 'ltx', '0', newest), path.join(ahead, name)]);
      const before = await app.restored('a');
      app.add(5);
      return before;
    },
  },
];

/** An image and increments at destination `a`. Gives what it restores to. */
async function replicate(app: App): Promise<Buffer> {
  app.add(500);
  const sidecar = new Sidecar(app.replicatedTo('a'));
  await sidecar.settled();
  for (let commit = 0; commit < 2; commit++) {
    app.add(5);
    await sidecar.settled();
  }
  await sidecar.stop();
  return await app.restored('a');
}
