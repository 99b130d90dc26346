/** Situations in which a full snapshot or the changed pages are uploaded, with the state of the destination before it. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { App } from './app.ts';
import { Sidecar } from './sidecar.ts';

export interface InterruptedUpload {
  readonly name: string;
  /** Files that make up the upload of TXID n, in upload order. */
  readonly order: readonly string[];
  /** Prepares destination `a`. Returns the bytes it restores to, or undefined if it is empty. */
  readonly prepare: (app: App) => Promise<Buffer | undefined>;
}

const GOLDEN = path.resolve(import.meta.dirname, '../fixtures/golden');

export const INTERRUPTED_UPLOADS: readonly InterruptedUpload[] = [
  {
    name: 'the first full snapshot',
    order: ['0/n-n', '9/1-n'],
    prepare: async (app) => {
      app.add(500);
      return await Promise.resolve(undefined);
    },
  },
  {
    name: 'the pages that have changed while Sluice was stopped',
    order: ['0/n-n'],
    prepare: async (app) => {
      const before = await replicate(app);
      restartLog(app);
      return before;
    },
  },
  {
    name: 'a full snapshot after lost continuity, above our own files',
    order: ['0/n-n', '9/1-n'],
    prepare: async (app) => {
      const before = await replicate(app);
      restartLog(app);
      fs.rmSync(path.join(app.folder, '.app.db-sluice', 'checksums'));
      return before;
    },
  },
  {
    name: 'a full snapshot with another page size',
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
    name: 'a full snapshot with a TXID gap, above files and levels of Litestream',
    order: ['9/1-n', '1/16-n', '2/16-n', '0/n-n'],
    prepare: async (app) => {
      const golden = path.join(GOLDEN, 'block-64k-autovacuum', 'bucket');
      fs.cpSync(golden, app.bucket('a'), { recursive: true });
      app.add(500);
      return await app.restored('a');
    },
  },
  {
    name: 'a full snapshot with a TXID gap, above our own files',
    order: ['9/1-n', '1/1-n', '0/n-n'],
    prepare: async (app) => {
      await replicate(app);
      // Another destination is ahead: TXIDs continue above it at both.
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

/** Commits and restarts the log, so that the next start cannot prove continuity from it. */
function restartLog(app: App): void {
  app.add(5);
  app.db.pragma('wal_checkpoint(RESTART)');
  app.add(5);
}

/** Replicates a full snapshot and increments to destination `a`. Returns the bytes it restores to. */
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
