/**
 * Destinations are independent: one that is unreachable, hangs, or comes back empty, with its old files
 * or with files of another writer ends up with the current database and delays no other destination.
 */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { describeWith, needTool } from '../support/require.ts';
import { until } from '../support/wait.ts';
import { App, compare, expectAll } from './app.ts';
import { startLitestream } from './rival.ts';
import { Sidecar, type SidecarArguments } from './sidecar.ts';

/** Maximum time until a commit reaches a healthy destination, on a machine under load. */
const PROMPT_MS = 3_000;

/** Arguments for a second replicator with its own staging folder, as if on another machine. */
function elsewhere(app: App, ...names: readonly string[]): SidecarArguments {
  const metaPath = path.join(app.folder, 'elsewhere');
  return { ...app.replicatedTo(...names), options: { metaPath } };
}

/** Names of the files at a, with their levels. */
function ltxNames(app: App): string[] {
  return [0, 1, 9].flatMap((level) =>
    ltxIn(app.bucket('a'), level).map((name) => `${level}/${name}`),
  );
}

test('a destination that hangs delays no other destination', async () => {
  const app = new App();
  app.add(500);
  const { database, destinations } = app.replicatedTo('a', 'b', 'c');
  const hanging = destinations.map((at) => ({ ...at, fault: 'hanging' as const }));
  const sidecar = new Sidecar({
    database,
    destinations: [...hanging.slice(0, 1), ...destinations.slice(1, 2), ...hanging.slice(2)],
  });
  await sidecar.settled(['b']);
  for (let commit = 0; commit < 5; commit++) {
    app.add(1);
    const began = Date.now();
    await sidecar.settled(['b']);
    expect(Date.now() - began).toBeLessThan(PROMPT_MS);
  }
  await expectAll(app, ['b']);
});

test('an empty destination that is unreachable at the start gets a full snapshot when it is back', async () => {
  const app = new App();
  app.add(500);
  const sidecar = new Sidecar(app.replicatedTo('a', 'b'));
  await sidecar.setFault('b', 'refusing');
  await sidecar.settled(['a']);
  app.add(10);
  await sidecar.settled(['a']);
  await sidecar.setFault('b', 'none');
  app.add(10);
  await sidecar.settled();
  await expectAll(app, ['a', 'b']);
});

test('a destination that is unreachable at the start resumes with increments when it is back', async () => {
  const app = new App();
  app.add(500);
  const first = new Sidecar(app.replicatedTo('a', 'b'));
  await first.settled();
  await first.stop();
  const { database, destinations } = app.replicatedTo('a', 'b');
  const second = new Sidecar({
    database,
    destinations: destinations.map((at) => ({
      ...at,
      fault: at.name === 'b' ? 'refusing' : 'none',
    })),
  });
  expect(await second.beginning()).toEqual({ kind: 'resumed' });
  app.add(10);
  await second.settled(['a']);
  await second.setFault('b', 'none');
  app.add(10);
  await second.settled();
  await expectAll(app, ['a', 'b']);
  expect(second.messages.filter((message) => /image|snapshot/.test(message))).toEqual([]);
});

test('an unreachable destination that another replicator wrote to gets a full snapshot above its files', async () => {
  const app = new App();
  app.add(500);
  const first = new Sidecar(app.replicatedTo('a', 'b'));
  await first.settled();
  await first.stop();
  const other = new Sidecar(elsewhere(app, 'b'));
  await other.settled();
  for (let commit = 0; commit < 5; commit++) {
    app.add(10);
    await other.settled();
  }
  const theirs = await other.settled();
  const theirBytes = app.bytes();
  await other.kill(); // at a clean end it would write to the database

  const { database, destinations } = app.replicatedTo('a', 'b');
  const second = new Sidecar({
    database,
    destinations: destinations.map((at) => ({
      ...at,
      fault: at.name === 'b' ? 'refusing' : 'none',
    })),
  });
  expect(await second.beginning()).toEqual({ kind: 'resumed' }); // b has not been listed yet
  app.add(10);
  await second.settled(['a']);
  await second.setFault('b', 'none');
  await second.says(/a full snapshot is needed|making a full snapshot/);
  app.add(10);
  await second.settled();
  await expectAll(app, ['a', 'b']);
  expect(compare(await app.restored('b', theirs), theirBytes)).toBe('equal');
});

test('if another replicator wrote to one destination, all destinations get a full snapshot', async () => {
  const app = new App();
  app.add(500);
  const first = new Sidecar(app.replicatedTo('a', 'b'));
  await first.settled();
  await first.stop();
  const other = new Sidecar(elsewhere(app, 'a'));
  await other.settled();
  app.add(10);
  const theirs = await other.settled();
  const theirBytes = app.bytes();
  await other.kill(); // at a clean end it would write to the database
  app.add(10);

  const second = new Sidecar(app.replicatedTo('a', 'b'));
  expect(await second.beginning()).toEqual({
    kind: 'full snapshot',
    why: 'a has files that this replicator did not send',
  });
  await second.settled();
  await expectAll(app, ['a', 'b']);
  expect(compare(await app.restored('a', theirs), theirBytes)).toBe('equal');
});

test('a destination that another replicator takes over gets nothing more, and the others get everything', async () => {
  const app = new App();
  app.add(500);
  const ours = new Sidecar(app.replicatedTo('a', 'b'));
  await ours.settled();
  const other = new Sidecar(elsewhere(app, 'a'));
  await other.settled();
  app.add(10);
  await ours.says(/another replicator has taken it over/);
  const before = ltxNames(app);
  app.add(10);
  await ours.settled(['b']);
  await expectAll(app, ['b']);
  await other.settled();
  await other.stop();
  await expectAll(app, ['a']);
  // Only the other one has written there, and it needed no further snapshot.
  const added = ltxNames(app).filter((name) => !before.includes(name));
  expect(added.every((name) => name.startsWith('0/'))).toBe(true);
});

test('a damaged record of sent files loses no data', async () => {
  const app = new App();
  app.add(500);
  const first = new Sidecar(app.replicatedTo('a', 'b'));
  await first.settled();
  app.add(10);
  await first.settled();
  await first.kill();
  fs.writeFileSync(path.join(app.folder, '.app.db-sluice', 'destinations.json'), '{ "torn');
  const second = new Sidecar(app.replicatedTo('a', 'b'));
  app.add(10);
  await second.settled();
  await expectAll(app, ['a', 'b']);
});

test('a destination that refuses snapshots is reported as failing and does not affect the others', async () => {
  const app = new App();
  app.add(500);
  const { database, destinations } = app.replicatedTo('a', 'b');
  const sidecar = new Sidecar({
    database,
    options: { snapshotIntervalMs: 300, levels: [] },
    destinations: destinations.map((at) => ({
      ...at,
      fault: at.name === 'a' ? 'forbidding level 9' : 'none',
    })),
  });
  const snapshots = (): string[] => ltxIn(app.bucket('b'), 9);
  await until(
    'b has some snapshots, and their staged files are deleted',
    async () => {
      app.add(1);
      await sidecar.settled();
      return (
        snapshots().length >= 4 && ltxIn(path.join(app.folder, '.app.db-sluice'), 9).length === 0
      );
    },
    30_000,
  );
  const status = await sidecar.status();
  expect(status.destinations.map(({ name, state }) => [name, state])).toEqual([
    ['a', 'failing'],
    ['b', 'streaming'],
  ]);
  expect(status.destinations[0]?.snapshotError?.code).toBe('REPLICA_PERMISSION_DENIED');
  expect(ltxIn(app.bucket('a'), 9)).toEqual([]);
  expect(status.stagedFiles).toBe(1);
  await expectAll(app, ['a', 'b']);
});

test.for([
  ['the staged files', ['ltx']],
  ['the staged files and the record of sent files', ['ltx', 'destinations.json']],
  ['the staged files and the position', ['ltx', 'position']],
] as const)(
  '%s are lost while a destination is unreachable: it gets a full snapshot above all its files',
  async ([, lost]) => {
    const app = new App();
    app.add(500);
    const first = new Sidecar(app.replicatedTo('b'));
    await first.settled();
    for (let commit = 0; commit < 3; commit++) {
      app.add(10);
      await first.settled();
    }
    await first.stop();
    const theirs = ltxIn(app.bucket('b'), 0);
    for (const name of lost) {
      fs.rmSync(path.join(app.folder, '.app.db-sluice', name), { recursive: true });
    }
    const { database, destinations } = app.replicatedTo('a', 'b');
    const second = new Sidecar({
      database,
      destinations: destinations.map((at) => ({
        ...at,
        fault: at.name === 'b' ? 'refusing' : 'none',
      })),
    });
    for (let commit = 0; commit < theirs.length + 2; commit++) {
      app.add(10);
      await second.settled(['a']);
    }
    expect(ltxIn(app.bucket('a'), 0)[0]! > theirs.at(-1)!).toBe(true);
    await second.setFault('b', 'none');
    app.add(10);
    await second.settled();
    await expectAll(app, ['a', 'b']);
  },
);

test.for(['is reachable', 'is unreachable at first'] as const)(
  'an older copy of the staging folder loses no data when the destination %s',
  async (state) => {
    const app = new App();
    app.add(500);
    const staging = path.join(app.folder, '.app.db-sluice');
    const first = new Sidecar(app.replicatedTo('a', 'b'));
    await first.settled();
    app.add(10);
    await first.settled();
    fs.cpSync(staging, `${staging}-copy`, { recursive: true });
    for (let commit = 0; commit < 3; commit++) {
      app.add(10);
      await first.settled();
    }
    await first.kill();
    fs.rmSync(staging, { recursive: true });
    fs.renameSync(`${staging}-copy`, staging);
    app.add(10);
    const { database, destinations } = app.replicatedTo('a', 'b');
    const second = new Sidecar({
      database,
      destinations: destinations.map((at) => ({
        ...at,
        fault: state === 'is reachable' ? 'none' : 'refusing',
      })),
    });
    await second.beginning();
    for (let commit = 0; commit < 5; commit++) {
      app.add(10);
      await second.settled([]);
    }
    for (const name of ['a', 'b']) await second.setFault(name, 'none');
    await second.settled();
    await expectAll(app, ['a', 'b']);
  },
);

test.for(['an increment', 'the full snapshot'] as const)(
  '%s in a folder is cut short while nothing runs: the folder gets a full snapshot',
  async (which) => {
    const app = new App();
    app.add(500);
    const first = new Sidecar(app.replicatedTo('a', 'b'));
    await first.settled();
    for (let commit = 0; commit < 3; commit++) {
      app.add(10);
      await first.settled();
    }
    await first.stop();
    const [base, increment] = ltxIn(app.bucket('a'), 0);
    const names = which === 'an increment' ? [`0/${increment}`] : [`0/${base}`, `9/${base}`];
    for (const name of names) {
      const file = path.join(app.bucket('a'), 'ltx', name);
      fs.truncateSync(file, fs.statSync(file).size - 8);
    }
    const second = new Sidecar(app.replicatedTo('a', 'b'));
    expect(await second.beginning()).toEqual({ kind: 'resumed' });
    app.add(10);
    await second.settled();
    await expectAll(app, ['a', 'b']);
    const reports = second.messages.filter((message) => /^a: .* cannot be used: /.test(message));
    expect(reports).toHaveLength(1);
  },
);

describeWith(['litestream-0.5.17'], 'Litestream', () => {
  test.for(['SIGTERM', 'SIGKILL'] as const)(
    'has written to the bucket and was stopped by %s: a full snapshot follows',
    async (signal) => {
      const app = new App();
      app.add(500);
      const first = new Sidecar(app.replicatedTo('a', 'b'));
      const ours = await first.settled();
      const bytes = app.bytes();
      await first.stop();

      const binary = needTool('litestream-0.5.17');
      const litestream = startLitestream(binary, app.path, app.bucket('a'));
      const ended = new Promise((resolve) => litestream.once('exit', resolve));
      for (let commit = 0; commit < 5; commit++) {
        const before = newestIn(app.bucket('a'));
        app.add(10);
        await until('Litestream has sent it', () => newestIn(app.bucket('a')) > before);
      }
      litestream.kill(signal);
      await ended;
      app.add(10);

      const second = new Sidecar(app.replicatedTo('a', 'b'));
      expect((await second.beginning()).kind).toBe('full snapshot');
      app.add(10);
      await second.settled();
      await expectAll(app, ['a', 'b']);
      for (const name of ['a', 'b']) {
        expect(compare(await app.restored(name, ours), bytes)).toBe('equal');
      }
    },
  );
});

/** Name of the newest level-0 file. */
function newestIn(bucket: string): string {
  return ltxIn(bucket, 0).at(-1) ?? '';
}

/** Names of the files of a level, in order of TXID. */
function ltxIn(folder: string, level: number): string[] {
  const names = fs.existsSync(path.join(folder, 'ltx', `${level}`))
    ? fs.readdirSync(path.join(folder, 'ltx', `${level}`))
    : [];
  return names.filter((name) => name.endsWith('.ltx')).sort();
}
