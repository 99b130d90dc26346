/** A replicator with two destinations and a drill, and what it answers at its address. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import { CLIProcess } from '../../apps/cli/test/support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

export interface RunningReplicator {
  readonly database: string;
  readonly origin: string;
  commit(): void;
  metrics(): Promise<string>;
}

/** `top`: more lines of the configuration. Resolves when both destinations have everything. */
export async function startReplicator(top = ''): Promise<RunningReplicator> {
  const folder = temporaryFolder('metrics');
  const database = path.join(folder, 'app.db');
  const app = new Database(database);
  onTestFinished(() => void app.close());
  app.pragma('journal_mode = wal');
  app.exec('CREATE TABLE t (x)');
  const config = path.join(folder, 'sluice.yml');
  const replicas = ['near', 'far'].map(
    (name) => `{ name: ${name}, path: ${path.join(folder, name)} }`,
  );
  fs.writeFileSync(
    config,
    `addr: ":0"\n${top}\ndbs: [{ path: ${database}, replicas: [${replicas.join(', ')}] }]\n`,
  );
  const sluice = new CLIProcess(['replicate', '-config', config]);
  onTestFinished(async () => {
    sluice.kill('SIGTERM');
    await sluice.ended();
  });
  const [, origin = ''] = await sluice.says(/metrics at (http:\/\/127\.0\.0\.1:\d+)/);
  const metrics = async (): Promise<string> => await (await fetch(`${origin}/metrics`)).text();
  await until('both destinations have a state', async () => {
    const text = await metrics();
    return (
      text.split('\n').filter((line) => /^sluice_replica_txid\{.*\} [1-9]/.test(line)).length === 2
    );
  });
  return { database, origin, commit: () => void app.exec('INSERT INTO t VALUES (1)'), metrics };
}
