/** A destination that cannot replace an object on condition of its version cannot keep a lease, and says so. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { runProcess } from '../support/process.ts';
import { scene } from '../support/scene.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

test('a folder refuses a lease: nothing is written, and the log, the status and the check say why', async () => {
  const { folder, database, backup } = scene(5);
  const config = path.join(folder, 'sluice.yml');
  const write = (ttl: string): void => {
    const dbs = [{ path: database, replicas: [{ path: backup, lease: { ttl } }] }];
    fs.writeFileSync(config, JSON.stringify({ 'shutdown-sync-timeout': '1s', dbs })); // JSON is YAML
  };
  write('30s');
  const once = await runProcess(['replicate', '-once', '-config', config]);
  expect(once.code, once.stdout).not.toBe(0);
  const why =
    /hold a lease at file: .*so two replicators could hold it at once; nothing is written there/;
  expect(once.stdout).toMatch(why);
  expect(once.stdout).toMatch(/Set lease\.ttl to 0 for this destination/);
  const written = fs.existsSync(backup) ? fs.readdirSync(backup, { recursive: true }) : [];
  expect(written.map(String).filter((name) => /\.ltx$|sluice-owner/.test(name))).toEqual([]);
  const status = await runProcess(['status', '-config', config]);
  expect(status.stdout).toMatch(why);
  const check = await runProcess(['check', '-config', config]);
  expect(check.stdout).toMatch(/if-version +not judged +.*no lease can be held/);
  write('0');
  const without = await runProcess(['replicate', '-once', '-config', config]);
  expect(without.code, without.stdout).toBe(0);
});
