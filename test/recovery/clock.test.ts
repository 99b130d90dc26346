/** A wrong or moving wall clock neither stops replication nor hides data. */

import fs from 'node:fs';
import path from 'node:path';
import { restore } from '@sluice/core';
import { expect, test } from 'vitest';
import { MovedClock } from '../support/moved-clock.ts';
import { openFolder } from '../support/replica.ts';
import { until } from '../support/wait.ts';
import { App, compare } from './app.ts';
import { Sidecar } from './sidecar.ts';

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
/** Maximum time until a commit reaches its destination, on a machine under load. */
const PROMPT_MS = 10_000;

/** Waits until the destinations restore to the current database, without requesting a sync. */
async function waitUntilRestorable(app: App, ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const isRestorable = async (): Promise<boolean> => {
      const restored = await app.restored(name).catch(() => undefined);
      return restored !== undefined && compare(restored, app.bytes()) === 'equal';
    };
    await until(`the commits are at ${name}`, isRestorable, PROMPT_MS);
  }
}

/** Makes commits and waits for each to arrive, so that each becomes a separate file. */
async function commitOneByOne(app: App, commits: number): Promise<void> {
  for (let commit = 0; commit < commits; commit++) {
    app.add(1);
    await waitUntilRestorable(app, 'a');
  }
}

async function restoredAsOf(app: App, at: Date): Promise<{ bytes: Buffer; doubt?: string }> {
  const { client } = await openFolder(app.bucket('a'));
  const output = path.join(app.folder, 'as-of.db');
  const target = { kind: 'timestamp', at } as const;
  const { moment } = await restore({
    sources: [{ name: 'one', client }],
    output,
    target,
    overwrite: 'replace',
  });
  const doubt = moment?.doubt;
  return { bytes: fs.readFileSync(output), ...(doubt === undefined ? {} : { doubt }) };
}

function snapshotsIn(bucket: string): number {
  return fs.readdirSync(path.join(bucket, 'ltx', '9')).length;
}

test.for([
  ['back by an hour', -HOUR_MS],
  ['back by a year', -YEAR_MS],
  ['ahead by a year', YEAR_MS],
] as const)('a clock that steps %s does not delay replication', async ([, step]) => {
  const app = new App();
  app.add(10);
  const clock = new MovedClock();
  const options = { syncIntervalMs: 1_000 };
  const sidecar = new Sidecar({
    ...app.replicatedTo('a'),
    options,
    environment: clock.environment,
  });
  await sidecar.settled();
  await commitOneByOne(app, 1); // the next one is due an interval after it
  clock.set(step);
  await commitOneByOne(app, 3);
  clock.set(0);
  await commitOneByOne(app, 3);
  const { lagSeconds } = (await sidecar.status()).destinations[0] ?? {};
  expect(lagSeconds).toBe(0);
});

test('a clock that was briefly a year ahead hides no commit from a restore to a later time, which warns', async () => {
  const app = new App();
  app.add(10);
  const clock = new MovedClock();
  const sidecar = new Sidecar({ ...app.replicatedTo('a'), environment: clock.environment });
  await sidecar.settled();
  clock.set(YEAR_MS);
  await commitOneByOne(app, 1);
  clock.set(0);
  await commitOneByOne(app, 3);
  const at = new Date();
  const bytes = app.bytes();
  await until('a later millisecond', () => Date.now() > at.getTime());
  await commitOneByOne(app, 1);
  const restored = await restoredAsOf(app, at);
  expect(compare(restored.bytes, bytes)).toBe('equal');
  expect(restored.doubt).toMatch(/^file times contradict each other: TXID \w{16} is dated /);
});

test.for([
  ['ahead', YEAR_MS],
  ['behind', -YEAR_MS],
] as const)(
  'a clock that is a year %s of the server does not cause a full snapshot for each commit',
  async ([, by]) => {
    const app = new App();
    app.add(10);
    const clock = new MovedClock(by);
    const options = { snapshotIntervalMs: HOUR_MS };
    const started = { ...app.replicatedTo('a'), options, environment: clock.environment };
    const first = new Sidecar(started);
    await first.settled();
    await commitOneByOne(app, 5);
    expect(snapshotsIn(app.bucket('a'))).toBe(1);
    await first.stop();
    // The age of listed snapshots comes from the server, so the next start takes none either.
    const second = new Sidecar(started);
    await commitOneByOne(app, 3);
    expect(snapshotsIn(app.bucket('a'))).toBe(1);
    await second.stop();
  },
);

test('where nothing is deleted, an idle database gets a new full snapshot when its last one is old', async () => {
  const app = new App();
  app.add(10);
  const options = { snapshotMaxAgeMs: 3_000 };
  const sidecar = new Sidecar({ ...app.replicatedTo('a'), options });
  await sidecar.settled();
  await until('a second snapshot', () => snapshotsIn(app.bucket('a')) >= 2);
  await sidecar.says(/a full snapshot is needed: the newest one is older than snapshot.max-age/);
  await sidecar.settled();
  await sidecar.stop();
  // As if a lifecycle rule had deleted all that is older.
  for (const level of [0, 9]) {
    const folder = path.join(app.bucket('a'), 'ltx', String(level));
    for (const name of fs.readdirSync(folder).toSorted().slice(0, -1)) {
      fs.rmSync(path.join(folder, name));
    }
  }
  expect(compare(await app.restored('a'), app.bytes())).toBe('equal');
});

test('a clock that is set back during the final sync does not keep it from ending', async () => {
  const app = new App();
  app.add(10);
  const clock = new MovedClock();
  const sidecar = new Sidecar({ ...app.replicatedTo('a', 'b'), environment: clock.environment });
  await sidecar.settled();
  await sidecar.setFault('b', 'refusing');
  app.add(1);
  await sidecar.settled(['a']);
  await sidecar.says(/^b: .*this destination fails/);
  const stopped = sidecar.stop();
  clock.set(-HOUR_MS);
  await stopped;
  expect(compare(await app.restored('a'), app.bytes())).toBe('equal');
});
