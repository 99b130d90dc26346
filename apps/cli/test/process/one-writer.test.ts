/** A replica belongs to one replicator: another database is refused, a rebuilt machine is not. */

import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { addRows } from '../support/database.ts';
import { CLIProcess, runProcess, type Ended } from '../support/process.ts';
import { rowsAt, scene } from '../support/scene.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

async function replicateOnce(
  database: string,
  backup: string,
  ...flags: readonly string[]
): Promise<Ended> {
  return await runProcess(['replicate', '-once', ...flags, database, `file://${backup}`]);
}

/** Of the only destination. */
async function statusOf(
  database: string,
  backup: string,
): Promise<{ code: number | null; state: string; last_error?: string }> {
  const dbs = [{ path: database, replica: { path: backup } }];
  const config = writeFile(path.dirname(database), 'status.yml', JSON.stringify({ dbs }));
  const { code, stdout } = await runProcess(['status', '-json', '-config', config]);
  const [row] = JSON.parse(stdout) as [
    { destinations: [{ readonly state: string; readonly last_error?: string }] },
  ];
  return { code, ...row.destinations[0] };
}

/** A database on another machine. */
function elsewhere(rows: number): string {
  const database = path.join(temporaryFolder(), 'app.db');
  if (rows > 0) addRows(database, rows);
  return database;
}

test('another database with the same destination is refused with exit code 14, and -take-over allows it', async () => {
  const { database, backup } = scene(5);
  expect((await replicateOnce(database, backup)).code).toBe(0);
  const staging = elsewhere(1);
  const refused = await replicateOnce(staging, backup);
  expect(refused.code, refused.stdout).toBe(14);
  expect(refused.stdout).toMatch(
    new RegExp(
      `belongs to ${database} on .* its newest TXID is 0000000000000001, written at 2.*code=REPLICA_IN_USE`,
    ),
  );
  expect(await rowsAt(backup)).toBe(5);
  const status = await statusOf(staging, backup);
  expect(status).toMatchObject({ code: 3, state: 'REPLICA_IN_USE' });
  expect(status.last_error).toContain(`belongs to ${database} on `);
  expect((await replicateOnce(staging, backup, '-take-over')).code).toBe(0);
  expect(await statusOf(staging, backup)).toMatchObject({ code: 0, state: 'ok' });
  expect(await rowsAt(backup)).toBe(1);
  expect((await replicateOnce(database, backup)).code).toBe(14);
});

test('a machine that is rebuilt from its own backup continues it, unless the old one has gone on', async () => {
  const { database, backup } = scene(5);
  expect((await replicateOnce(database, backup)).code).toBe(0);
  const [late, rebuilt] = [elsewhere(0), elsewhere(0)];
  expect((await runProcess(['restore', '-o', late, `file://${backup}`])).code).toBe(0);
  const continued = await replicateOnce(rebuilt, backup, '-restore-if-db-not-exists');
  expect(continued.code, continued.stdout).toBe(0);
  expect(continued.stdout).toMatch(/this replicator is the owner now: this database was restored/);
  expect((await replicateOnce(late, backup)).code).toBe(14);
  expect(await rowsAt(backup)).toBe(5);
});

test('a running replicator stops when another one takes its replica over', async () => {
  const { database, backup } = scene(5);
  const first = new CLIProcess(['replicate', database, `file://${backup}`]);
  await first.says(/full snapshot sent/);
  expect((await replicateOnce(elsewhere(1), backup, '-take-over')).code).toBe(0);
  addRows(database, 1);
  await first.says(/another replicator has taken it over.*code=REPLICA_IN_USE/);
  const stateOf = async (): Promise<unknown> => (await statusOf(database, backup)).state;
  await expect.poll(stateOf, { timeout: 120_000 }).toBe('REPLICA_IN_USE'); // its state file is a moment old
  first.kill('SIGTERM');
  expect((await first.ended()).code).toBe(14);
  expect(await rowsAt(backup)).toBe(1);
});
