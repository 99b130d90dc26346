/** Two replicators with the lease of one destination, as processes. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { CLIProcess, runProcess } from '../../apps/cli/test/support/process.ts';
import { start, type RunningS3 } from '../servers/s3/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

/** Maximum time from the end of a replicator to the start of the next one. */
const HAND_OVER_MS = 2_000;
const OWNER_KEY = 'app/sluice-owner.json';

interface Machine {
  readonly database: Database.Database;
  readonly config: string;
}

async function serve(): Promise<RunningS3> {
  const server = await start();
  onTestFinished(() => server.stop());
  return server;
}

/** A database of its own with the destination of all others. */
function machine({ endpoint, region, bucket, credentials }: RunningS3, ttl: string): Machine {
  const folder = temporaryFolder('lease');
  const file = path.join(folder, 'app.db');
  const database = new Database(file);
  onTestFinished(() => void database.close());
  database.pragma('journal_mode = wal');
  database.exec('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)');
  addRow({ database });
  const { accessKeyId, secretAccessKey } = credentials;
  const query = new URLSearchParams({
    endpoint,
    region,
    'access-key-id': accessKeyId,
    'secret-access-key': secretAccessKey,
  });
  const url = `s3://${bucket}/app?${query.toString()}`;
  const config = path.join(folder, 'sluice.yml');
  const dbs = [{ path: file, replica: { url }, 'monitor-interval': '100ms' }];
  fs.writeFileSync(config, JSON.stringify({ 'sync-interval': '100ms', lease: { ttl }, dbs })); // JSON is YAML
  return { database, config };
}

function addRow({ database }: Pick<Machine, 'database'>): void {
  database.exec("INSERT INTO notes (text) VALUES ('note')");
}

function replicate({ config }: Machine): CLIProcess {
  return new CLIProcess(['replicate', '-config', config]);
}

/** Writes of LTX files so far. */
function filesWritten(server: RunningS3): number {
  return server.requests.of('PutObject').filter(({ key }) => key !== OWNER_KEY).length;
}

test('a second replicator waits, and takes over within two seconds after a clean shutdown', async () => {
  const server = await serve();
  const [one, two] = [machine(server, '1h'), machine(server, '1h')];
  const first = replicate(one);
  await first.says(/full snapshot sent/);
  const second = replicate(two);
  await second.says(/waiting for the lease of another replicator.*app\.db on /);
  const refused = await runProcess([
    'replicate',
    '-no-wait',
    '-config',
    machine(server, '1h').config,
  ]);
  expect(refused.code, refused.stdout + refused.stderr).toBe(14);
  first.kill('SIGTERM');
  expect((await first.ended()).code).toBe(0);
  const endedAt = performance.now();
  await second.says(/this replicator is the owner now: taken over/);
  expect(performance.now() - endedAt).toBeLessThan(HAND_OVER_MS);
  await second.says(/full snapshot sent/);
  second.kill('SIGTERM');
  expect((await second.ended()).code).toBe(0);
});

test('a replicator that was paused for longer than its lease writes at most the file in flight', async () => {
  const server = await serve();
  const [one, two] = [machine(server, '3s'), machine(server, '3s')];
  const first = replicate(one);
  await first.says(/full snapshot sent/);
  const second = replicate(two);
  await second.says(/waiting for the lease/);
  first.kill('SIGSTOP');
  await second.says(/full snapshot sent/);
  for (let row = 0; row < 5; row++) addRow(one);
  const before = filesWritten(server);
  first.kill('SIGCONT');
  await first.says(/another replicator has taken it over.*code=REPLICA_IN_USE/);
  addRow(one);
  const renewals = (): number => server.requests.of('PutObject').length;
  const seen = renewals();
  await until('the second one has renewed its lease twice', () => renewals() >= seen + 2);
  expect(filesWritten(server) - before).toBeLessThanOrEqual(1);
  first.kill('SIGTERM');
  expect((await first.ended()).code).toBe(14);
});
