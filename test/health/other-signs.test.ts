/** Other unhealthy states: a missing database, a dead replicator, a wrong clock, a disk that hangs. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { MovedClock } from '../support/moved-clock.ts';
import { until } from '../support/wait.ts';
import { READING_MS, UNHEALTHY, HEALTHY, MAX_LAG_MS, Scene } from './scene.ts';

test('a database that its application keeps locked is reported by status, exit code, /status and /metrics', async () => {
  const scene = new Scene();
  const exclusive = new Database(scene.database);
  onTestFinished(() => void exclusive.close());
  scene.closeApplication();
  exclusive.pragma('locking_mode = exclusive');
  exclusive.exec('INSERT INTO t VALUES (1)');
  await scene.start();
  const { problems } = await scene.waitForAll(UNHEALTHY, MAX_LAG_MS + READING_MS);
  expect(problems).toContain('database');
  exclusive.close();
  await scene.waitForAll(HEALTHY, 20_000);
});

test('a database folder that is moved away is reported as unhealthy and is not created again', async () => {
  const scene = new Scene();
  await scene.start();
  await scene.waitForAll(HEALTHY, 20_000);
  fs.renameSync(scene.data, `${scene.data}-away`);
  const { problems } = await scene.waitForAll(UNHEALTHY, MAX_LAG_MS + READING_MS);
  expect(problems).toContain('database');
  expect(problems.join()).toContain('it does not exist');
  const { code, stdout } = await scene.end();
  expect(code, stdout).toBe(9);
  expect(stdout).toContain('its folder does not exist: check the path');
  expect(fs.existsSync(scene.data)).toBe(false);
});

test('a missing database is healthy at first and unhealthy after max-lag', async () => {
  const scene = new Scene();
  scene.closeApplication();
  fs.rmSync(scene.database);
  await scene.start();
  expect((await scene.readings()).served).toBe(200);
  const { problems } = await scene.waitForAll(UNHEALTHY, MAX_LAG_MS + READING_MS);
  expect(problems.join()).toContain('it has not existed for');
  expect((await scene.status()).row.replicator).toMatch(/^replicator \d+ is running$/);
  const { code } = await scene.end();
  expect(code).toBe(9);
});

test('a database that is created late is healthy as soon as it is replicated', async () => {
  const scene = new Scene();
  scene.closeApplication();
  fs.renameSync(scene.database, `${scene.database}-later`);
  await scene.start();
  await scene.waitForAll(UNHEALTHY, MAX_LAG_MS + READING_MS);
  fs.renameSync(`${scene.database}-later`, scene.database);
  await scene.waitForAll(HEALTHY, 20_000);
});

test('status distinguishes a killed replicator from one that does not respond', async () => {
  const scene = new Scene();
  await scene.start();
  await scene.waitForAll(HEALTHY, 20_000);
  scene.kill('SIGSTOP');
  await until(
    'status notices',
    async () => (await scene.status()).code === 3,
    MAX_LAG_MS + READING_MS,
  );
  const stopped = (await scene.status()).row;
  expect(stopped.problems[0]).toMatch(/^replicator \d+ last reported \d+ s ago: it hangs/);
  expect(stopped.replicator).toMatch(/does not respond$/);
  scene.kill('SIGCONT');
  await scene.waitForAll(HEALTHY, 20_000);
  scene.kill('SIGKILL');
  await scene.ended();
  const killed = await scene.status();
  expect(killed.code).toBe(3);
  expect(killed.row.problems[0]).toMatch(/^replicator \d+ died; its last report is \d+ s old/);
  expect(killed.row.replicator).toBe('no replicator is running');
});

test('lag grows even if the wall clock is set back', async () => {
  const scene = new Scene();
  const clock = new MovedClock();
  await scene.start(clock.environment);
  await scene.waitForAll(HEALTHY, 20_000);
  clock.set(-3_600_000);
  scene.freeze('hang-upload', 'backup/ltx/0/');
  const { problems } = await scene.waitForAll(UNHEALTHY, MAX_LAG_MS + READING_MS);
  expect(problems).toContain('send');
  scene.thaw('hang-upload');
  await scene.waitForAll(HEALTHY, 20_000);
});

test('a mistyped folder is reported as unhealthy at once, and nothing is created', async () => {
  const scene = new Scene();
  scene.closeApplication();
  fs.rmSync(scene.data, { recursive: true });
  await scene.start();
  const { problems } = await scene.waitForAll(UNHEALTHY, READING_MS);
  expect(problems.join()).toContain('it does not exist, and its folder does not exist');
  const { code, stdout } = await scene.end();
  expect(code, stdout).toBe(9);
  expect(fs.existsSync(scene.data)).toBe(false);
});

test('a disk that hangs is reported and does not keep the replicator from exiting', async () => {
  const scene = new Scene();
  await scene.start();
  await scene.waitForAll(HEALTHY, 20_000);
  // Opening a pipe for writing hangs until a reader opens it.
  const pipe = path.join(scene.data, '.app.db-sluice', 'status.json.new');
  expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
  const { problems } = await scene.waitForAll(UNHEALTHY, MAX_LAG_MS + READING_MS);
  expect(problems).toContain('state file');
  const { code, stdout } = await scene.end();
  expect(code, stdout).toBe(1);
  expect(stdout).toContain('file has everything');
});
