/** What else must be seen: a database that is not where it should be, a replicator that is gone, a clock that stands. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { MovedClock } from '../support/moved-clock.ts';
import { until } from '../support/wait.ts';
import { ASKING_MS, BAD, GOOD, MAX_LAG_MS, Scene } from './scene.ts';

test('a database that is locked by its application is not followed, and all four say so', async () => {
  const scene = new Scene();
  const exclusive = new Database(scene.database);
  onTestFinished(() => void exclusive.close());
  scene.closeApplication();
  exclusive.pragma('locking_mode = exclusive');
  exclusive.exec('INSERT INTO t VALUES (1)');
  await scene.start();
  const { problems } = await scene.untilAll(BAD, MAX_LAG_MS + ASKING_MS);
  expect(problems).toContain('database');
  exclusive.close();
  await scene.untilAll(GOOD, 20_000);
});

test('a folder that is moved away is not healthy, and is not made again', async () => {
  const scene = new Scene();
  await scene.start();
  await scene.untilAll(GOOD, 20_000);
  fs.renameSync(scene.data, `${scene.data}-away`);
  const { problems } = await scene.untilAll(BAD, MAX_LAG_MS + ASKING_MS);
  expect(problems).toContain('database');
  expect(problems.join()).toContain('it does not exist');
  const { code, stdout } = await scene.end();
  expect(code, stdout).toBe(9);
  expect(stdout).toContain('its folder does not exist: check the path');
  expect(fs.existsSync(scene.data)).toBe(false);
});

test('a database that stays missing in its folder is waited for, and then no longer healthy', async () => {
  const scene = new Scene();
  scene.closeApplication();
  fs.rmSync(scene.database);
  await scene.start();
  expect((await scene.signs()).healthz).toBe(200);
  const { problems } = await scene.untilAll(BAD, MAX_LAG_MS + ASKING_MS);
  expect(problems.join()).toContain('it has not existed for');
  expect((await scene.status()).row.replicator).toMatch(/^replicator \d+ is running$/);
  const { code } = await scene.end();
  expect(code).toBe(9);
});

test('a database that appears late is healthy as soon as it is replicated', async () => {
  const scene = new Scene();
  scene.closeApplication();
  fs.renameSync(scene.database, `${scene.database}-later`);
  await scene.start();
  await scene.untilAll(BAD, MAX_LAG_MS + ASKING_MS);
  fs.renameSync(`${scene.database}-later`, scene.database);
  await scene.untilAll(GOOD, 20_000);
});

test('a replicator that is killed is gone, and one that is stopped is silent: status says which', async () => {
  const scene = new Scene();
  await scene.start();
  await scene.untilAll(GOOD, 20_000);
  scene.kill('SIGSTOP');
  await until(
    'status notices',
    async () => (await scene.status()).code === 3,
    MAX_LAG_MS + ASKING_MS,
  );
  const stopped = (await scene.status()).row;
  expect(stopped.problems[0]).toMatch(/^replicator \d+ last reported \d+ s ago: it hangs/);
  expect(stopped.replicator).toMatch(/does not respond$/);
  scene.kill('SIGCONT');
  await scene.untilAll(GOOD, 20_000);
  scene.kill('SIGKILL');
  await scene.ended();
  const killed = await scene.status();
  expect(killed.code).toBe(3);
  expect(killed.row.problems[0]).toMatch(/^replicator \d+ died; its last report is \d+ s old/);
  expect(killed.row.replicator).toBe('no replicator is running');
});

test('lag grows while the clock of the replicator stands, or steps back', async () => {
  const scene = new Scene();
  const clock = new MovedClock();
  await scene.start(clock.environment);
  await scene.untilAll(GOOD, 20_000);
  clock.set(-3_600_000);
  scene.freeze('hang-upload', 'backup/ltx/0/');
  const { problems } = await scene.untilAll(BAD, MAX_LAG_MS + ASKING_MS);
  expect(problems).toContain('send');
  scene.thaw('hang-upload');
  await scene.untilAll(GOOD, 20_000);
});

test('in a folder that was mistyped nothing is created, and the database is not healthy at once', async () => {
  const scene = new Scene();
  scene.closeApplication();
  fs.rmSync(scene.data, { recursive: true });
  await scene.start();
  const { problems } = await scene.untilAll(BAD, ASKING_MS);
  expect(problems.join()).toContain('it does not exist, and its folder does not exist');
  const { code, stdout } = await scene.end();
  expect(code, stdout).toBe(9);
  expect(fs.existsSync(scene.data)).toBe(false);
});

test('a disk that hangs is seen, and does not keep it from ending', async () => {
  const scene = new Scene();
  await scene.start();
  await scene.untilAll(GOOD, 20_000);
  // Opened for writing, it waits in the system for a reader who never comes.
  const pipe = path.join(scene.data, '.app.db-sluice', 'status.json.new');
  expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
  const { problems } = await scene.untilAll(BAD, MAX_LAG_MS + ASKING_MS);
  expect(problems).toContain('state file');
  const { code, stdout } = await scene.end();
  expect(code, stdout).toBe(1);
  expect(stdout).toContain('file has everything');
});
