/**
 * The database file is replaced or overwritten while its WAL stays beside it: by mv, by cp, by a copy
 * with the old times, or through a link. Replication never continues silently: it takes a full snapshot
 * or reports an error.
 */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { until } from '../support/wait.ts';
import { App, expectAll } from './app.ts';
import { Sidecar } from './sidecar.ts';

const REPLACED =
  /was replaced or deleted during|now leads to another file|another program changed page|written to/;
const REFUSED = /-wal belongs to another database/;

/** Each replaces file `to` with `from`, in another process: closing a file here would drop locks. */
const WAYS: Readonly<Record<string, (from: string, to: string) => void>> = {
  mv: (from, to) => execFileSync('mv', [from, to]),
  cp: (from, to) => execFileSync('cp', [from, to]),
  'cp with the old times': (from, to) => {
    const { atime, mtime } = fs.statSync(to);
    execFileSync('cp', [from, to]);
    fs.utimesSync(to, atime, mtime);
  },
  'dd, block by block': (from, to) => {
    execFileSync('dd', [`if=${from}`, `of=${to}`, 'bs=4096', 'conv=notrunc'], { stdio: 'ignore' });
    fs.truncateSync(to, fs.statSync(from).size);
  },
};

const WALS = ['backfilled', 'not backfilled'] as const;

async function leave(app: App, wal: (typeof WALS)[number]): Promise<void> {
  if (wal === 'backfilled') {
    await until('the WAL is backfilled', () => {
      const [at] = app.db.pragma('wal_checkpoint(PASSIVE)') as Record<string, number>[];
      return at?.['log'] === at?.['checkpointed'];
    });
  }
  app.close();
}

/** A complete database with other rows, without a WAL. */
function another(app: App, rows = 3000): string {
  const file = path.join(app.folder, 'other');
  const db = new Database(file);
  db.pragma('journal_mode=wal');
  db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE u(b)');
  const insert = db.prepare('INSERT INTO t(a) VALUES(?)');
  db.transaction(() => {
    for (let i = 0; i < rows; i++) insert.run(`another ${i}`);
  })();
  db.close();
  return file;
}

/** A copy of the application's database with some rows changed. Page 1 is the same. */
function edited(app: App): string {
  const file = path.join(app.folder, 'edited');
  execFileSync('cp', [app.path, file]);
  const db = new Database(file);
  db.exec("UPDATE t SET a = replace(a, 'row', 'ROW') WHERE id % 7 = 3");
  db.close();
  return file;
}

async function followed(app: App): Promise<Sidecar> {
  app.add(1500);
  const sidecar = new Sidecar(app.replicatedTo('a', 'b'));
  await sidecar.settled();
  app.add(1000);
  await sidecar.settled();
  return sidecar;
}

/** Expects each destination to restore to the application's database, twice. */
async function expectFollowed(app: App, sidecar: Sidecar): Promise<void> {
  for (let commit = 0; commit < 2; commit++) {
    app.add(10);
    await sidecar.settled();
    await expectAll(app, ['a', 'b']);
  }
}

describe('during replication', () => {
  for (const wal of WALS) {
    test.for(Object.keys(WAYS))(
      `replacing the database by %s, with a WAL that is ${wal}, leads to a full snapshot`,
      async (way) => {
        const app = new App();
        const sidecar = await followed(app);
        await leave(app, wal);
        WAYS[way]?.(another(app), app.path);
        await sidecar.says(REPLACED);
        await expectFollowed(app, sidecar);
      },
    );

    test(`a slow copy over the database, with a WAL that is ${wal}, leads to a full snapshot`, async () => {
      const app = new App();
      const sidecar = await followed(app);
      const content = fs.readFileSync(another(app));
      await leave(app, wal);
      fs.truncateSync(app.path);
      await sidecar.says(REPLACED); // SQLite finds no database there
      fs.writeFileSync(app.path, content);
      await expectFollowed(app, sidecar);
    });
  }

  test('replacing the database with an edited copy of the same page 1 leads to a full snapshot', async () => {
    const app = new App();
    const sidecar = await followed(app);
    app.db.pragma('wal_checkpoint(TRUNCATE)');
    await sidecar.settled();
    app.close();
    execFileSync('cp', [edited(app), app.path]);
    await sidecar.says(REPLACED);
    await expectFollowed(app, sidecar);
  });

  test.for(['-wal', '-shm'])('deleting the %s leads to a full snapshot', async (side) => {
    const app = new App();
    const sidecar = await followed(app);
    app.close();
    fs.rmSync(app.path + side);
    await sidecar.says(/was replaced or deleted during replication/);
    await expectFollowed(app, sidecar);
  });

  test('commits of an application that still uses a deleted -shm are reported as hidden', async () => {
    const app = new App();
    const sidecar = await followed(app);
    fs.rmSync(`${app.path}-shm`);
    await sidecar.says(/wal-index \(-shm\) was replaced or deleted/);
    await until('the hidden commits are reported', () => {
      app.add(1);
      return sidecar.messages.some((message) =>
        message.includes('commits that SQLite does not show'),
      );
    });
  });

  test('pointing a symbolic link at another file leads to a full snapshot', async () => {
    const app = new App();
    app.add(200);
    const link = path.join(app.folder, 'link.db');
    fs.symlinkSync(app.path, link);
    const { destinations } = app.replicatedTo('a');
    const sidecar = new Sidecar({ database: link, destinations });
    await sidecar.settled();
    app.add(100);
    await sidecar.settled();
    await expectAll(app, ['a']);
    const other = another(app);
    fs.rmSync(link);
    fs.symlinkSync(other, link);
    await sidecar.says(/leads to another file|was replaced or deleted/);
    await sidecar.settled();
    const reader = new Database(other, { readonly: true });
    expect((await app.restored('a')).equals(reader.serialize())).toBe(true);
    reader.close();
  });
});

describe('during replication and constant writes', () => {
  /** Writes the same few pages repeatedly. They are soon correct again, whatever replaced the file. */
  const writes = (app: App): void => {
    try {
      app.add(3);
      app.db.pragma('wal_checkpoint(PASSIVE)');
    } catch (error) {
      // SQLite may detect that its file was overwritten.
      if (!/^SQLITE_(CORRUPT|IOERR|NOTADB)/.test((error as { code: string }).code)) throw error;
    }
  };

  test.for([...Object.keys(WAYS), 'an older copy'] as const)(
    'replacing the database by %s is detected',
    async (way) => {
      const app = new App();
      app.add(3000);
      app.db.pragma('wal_checkpoint(TRUNCATE)');
      app.copy('older');
      const sidecar = await followed(app);
      app.change('written once');
      app.db.pragma('wal_checkpoint(TRUNCATE)');
      await sidecar.settled();
      const from = way === 'an older copy' ? path.join(app.folder, 'older') : another(app);
      const writing = setInterval(() => writes(app), 2);
      try {
        const { size } = fs.statSync(app.path);
        await until('the database grows', () => fs.statSync(app.path).size > size + 20_000);
        (WAYS[way] ?? WAYS['cp'])?.(from, app.path);
        await sidecar.says(REPLACED);
      } finally {
        clearInterval(writing);
      }
    },
  );
});

describe('after a clean stop, with the application closed', () => {
  async function stopped(app: App): Promise<void> {
    const sidecar = await followed(app);
    app.close();
    await sidecar.stop();
    expect(fs.existsSync(`${app.path}-wal`)).toBe(false);
    expect(fs.existsSync(`${app.path}-shm`)).toBe(false);
  }

  test('no full snapshot is taken if the database is unchanged or was only read', async () => {
    const app = new App();
    await stopped(app);
    for (let start = 0; start < 3; start++) {
      if (start === 1) expect(app.bytes().length).toBeGreaterThan(0);
      const sidecar = new Sidecar(app.replicatedTo('a', 'b'));
      expect((await sidecar.beginning()).kind).toBe('resumed');
      await sidecar.settled();
      await expectAll(app, ['a', 'b']);
      app.add(20);
      await sidecar.settled();
      await expectAll(app, ['a', 'b']);
      app.close();
      await sidecar.stop();
    }
  });

  test('commits of an application that starts again are replicated without a full snapshot', async () => {
    const app = new App();
    await stopped(app);
    app.add(300);
    const sidecar = new Sidecar(app.replicatedTo('a', 'b'));
    expect((await sidecar.beginning()).kind).toBe('resumed');
    await expectFollowed(app, sidecar);
  });

  const changes: Readonly<Record<string, (app: App) => void>> = {
    ...Object.fromEntries(
      Object.entries(WAYS).map(([way, put]) => [way, (app) => put(another(app), app.path)]),
    ),
    'an edited copy is moved over it': (app) => execFileSync('mv', [edited(app), app.path]),
    'an edited copy is copied over it': (app) => execFileSync('cp', [edited(app), app.path]),
    'the application writes, checkpoints, and restarts the WAL twice': (app) => {
      for (let round = 0; round < 2; round++) {
        app.add(20);
        app.db.pragma('wal_checkpoint(RESTART)');
      }
      app.add(20);
    },
    'the application writes and exits': (app) => {
      app.add(20);
      app.close();
    },
  };
  /** Changes of a few pages of the same file. All others lead to a full snapshot. */
  const few = /the application writes/;
  test.for(Object.keys(changes))('the new state is sent after: %s', async (change) => {
    const app = new App();
    await stopped(app);
    changes[change]?.(app);
    const sidecar = new Sidecar(app.replicatedTo('a', 'b'));
    const { kind } = await sidecar.beginning();
    expect(kind).toBe(few.test(change) ? 'changed pages' : 'full snapshot');
    await expectFollowed(app, sidecar);
  });
});

describe('after a SIGKILL that left the WAL', () => {
  async function killed(app: App): Promise<void> {
    const sidecar = await followed(app);
    app.close();
    await sidecar.kill();
    expect(fs.statSync(`${app.path}-wal`).size).toBeGreaterThan(0);
  }

  test.for(['mv', 'cp'])(
    'the old WAL is not applied to a file put in place by %s, and the error names the next step',
    async (way) => {
      const app = new App();
      await killed(app);
      const other = another(app);
      const bytes = fs.readFileSync(other);
      WAYS[way]?.(other, app.path);
      const sidecar = new Sidecar(app.replicatedTo('a', 'b'));
      await sidecar.says(REFUSED);
      expect(fs.readFileSync(app.path).equals(bytes)).toBe(true);
      fs.rmSync(`${app.path}-wal`); // as the runbook says
      fs.rmSync(`${app.path}-shm`);
      await expectFollowed(app, sidecar);
      expect(app.db.prepare('SELECT count(*) FROM u').pluck().get()).toBe(0);
    },
  );

  test('a file replaced by mv into which the application applied the old WAL gets a full snapshot', async () => {
    const app = new App();
    await killed(app);
    WAYS['mv']?.(another(app), app.path);
    app.add(5);
    const sidecar = new Sidecar(app.replicatedTo('a', 'b'));
    expect((await sidecar.beginning()).kind).toBe('full snapshot');
    await expectFollowed(app, sidecar);
  });

  test('a copy of database and WAL put in place together gets a full snapshot', async () => {
    const app = new App();
    await killed(app);
    for (const side of ['', '-wal']) {
      execFileSync('cp', [app.path + side, `${app.path}-copy${side}`]);
      fs.rmSync(app.path + side);
    }
    fs.rmSync(`${app.path}-shm`);
    for (const side of ['', '-wal']) fs.renameSync(`${app.path}-copy${side}`, app.path + side);
    const sidecar = new Sidecar(app.replicatedTo('a', 'b'));
    expect((await sidecar.beginning()).kind).toBe('full snapshot');
    await expectFollowed(app, sidecar);
  });
});

test('a database with two hard links is replicated, with a warning', async () => {
  const app = new App();
  app.add(10);
  fs.linkSync(app.path, path.join(app.folder, 'second.db'));
  const sidecar = new Sidecar(app.replicatedTo('a'));
  await sidecar.settled();
  await sidecar.says(/has 2 hard links/);
});
