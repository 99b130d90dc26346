/**
 * Destinations know nothing of each other: one that is out of reach, hangs, comes back empty, with
 * what it had, or with what somebody else wrote there, ends with the database and delays no other.
 */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { describeWith, needTool } from '../support/require.ts';
import { until } from '../support/wait.ts';
import { App, compare, expectAll } from './app.ts';
import { startLitestream } from './rival.ts';
import { Sidecar, type SidecarArguments } from './sidecar.ts';

/** A commit reaches a sound destination within this, on a machine under load. */
const PROMPT_MS = 3_000;

/** As if it ran on another machine: with a staging folder that the first one does not know. */
function elsewhere(app: App, ...names: readonly string[]): SidecarArguments {
  const metaPath = path.join(app.folder, 'elsewhere');
  return { ...app.replicatedTo(...names), options: { metaPath } };
}

test('one that hangs delays no other', async () => {
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

test('one that is out of reach at the start is seeded when it comes, empty', async () => {
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

test('one that is out of reach at the start goes on with increments when it comes', async () => {
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

test('one that another has continued while it was out of reach gets an image above that', async () => {
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
  expect(await second.beginning()).toEqual({ kind: 'resumed' }); // nothing of b is known yet
  app.add(10);
  await second.settled(['a']);
  await second.setFault('b', 'none');
  await second.says(/a full snapshot is needed|making a full snapshot/);
  app.add(10);
  await second.settled();
  await expectAll(app, ['a', 'b']);
  expect(compare(await app.restored('b', theirs), theirBytes)).toBe('equal');
});

test('one that another has continued in the same log gets an image, and so do all', async () => {
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
    kind: 'imaged',
    why: 'a has files that this replicator did not send',
  });
  await second.settled();
  await expectAll(app, ['a', 'b']);
  expect(compare(await app.restored('a', theirs), theirBytes)).toBe('equal');
});

test('another writer that comes while we are at work is seen, and an image goes above it', async () => {
  const app = new App();
  app.add(500);
  const ours = new Sidecar(app.replicatedTo('a', 'b'));
  await ours.settled();
  const other = new Sidecar(elsewhere(app, 'a'));
  await other.settled();
  await other.stop();
  app.add(10);
  await ours.settled();
  await ours.says(/another writer is active there/);
  app.add(10);
  await ours.settled();
  await expectAll(app, ['a', 'b']);
});

test('what was recorded as sent is lost: nothing is guessed', async () => {
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

test('one that forbids snapshots keeps the others from none, and is told of', async () => {
  const app = new App();
  app.add(500);
  const { database, destinations } = app.replicatedTo('a', 'b');
  const sidecar = new Sidecar({
    database,
    options: { snapshotIntervalMs: 300 },
    destinations: destinations.map((at) => ({
      ...at,
      fault: at.name === 'a' ? 'forbidding level 9' : 'none',
    })),
  });
  const snapshots = (): string[] => ltxIn(app.bucket('b'), 9);
  await until(
    'b has some snapshots, and what was staged of them is freed',
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
  ['the staged files and what was recorded as sent', ['ltx', 'destinations.json']],
  ['the staged files and the position', ['ltx', 'position']],
] as const)(
  '%s are lost while one is out of reach: it gets a full snapshot, above all that it has',
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

test.for(['answers', 'is out of reach at first'] as const)(
  'the staging folder is put back to an older copy, and the destination %s',
  async (how) => {
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
        fault: how === 'answers' ? 'none' : 'refusing',
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

describeWith(['litestream-0.5.17'], 'Litestream', () => {
  test.for(['SIGTERM', 'SIGKILL'] as const)(
    'has continued a bucket in the same log and ended by %s: an image follows',
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
      expect((await second.beginning()).kind).toBe('imaged');
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

/** Names of the files of a level, by TXID. */
function ltxIn(folder: string, level: number): string[] {
  const names = fs.existsSync(path.join(folder, 'ltx', `${level}`))
    ? fs.readdirSync(path.join(folder, 'ltx', `${level}`))
    : [];
  return names.filter((name) => name.endsWith('.ltx')).sort();
}
