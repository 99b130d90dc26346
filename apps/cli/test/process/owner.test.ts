/** Only one replicator follows a database. A second one names the first and changes nothing. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { addRows, countRows, openApplication } from '../support/database.ts';
import { CLIProcess, runProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

interface Scene {
  readonly database: string;
  readonly backup: string;
  readonly words: readonly string[];
  readonly first: CLIProcess;
}

/** A running replicator. */
async function followed(): Promise<Scene> {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  const backup = path.join(folder, 'backup');
  addRows(database, 5);
  const words = ['replicate', database, `file://${backup}`];
  const first = new CLIProcess(words);
  await first.says(/taking a full snapshot/);
  return { database, backup, words, first };
}

test.for(['-once', 'a daemon'] as const)(
  '%s during replication ends, names the first replicator, and changes nothing',
  async (how) => {
    const { database, backup, words, first } = await followed();
    const more = how === '-once' ? ['-once'] : [];
    const { code, stdout, stderr } = await runProcess([...words, ...more]);
    expect(code, stdout).toBe(9);
    expect(stderr).toMatch(
      new RegExp(
        `^sluice: replicator ${first.pid} has been replicating ${database} since \\d{4}-[^ ]+Z; ` +
          'stop it first \\(STAGING_IN_USE\\)\n$',
      ),
    );
    addRows(database, 7);
    first.kill('SIGTERM');
    expect((await first.ended()).code).toBe(0);
    const output = path.join(temporaryFolder(), 'restored.db');
    expect((await runProcess(['restore', '-o', output, `file://${backup}`])).code).toBe(0);
    expect(countRows(output)).toBe(12);
  },
);

test('the second replicator does not change the state file of the first', async () => {
  const { database, words, first } = await followed();
  const file = path.join(path.dirname(database), '.app.db-sluice', 'status.json');
  await vi.waitFor(() => expect(fs.existsSync(file)).toBe(true));
  expect((await runProcess([...words, '-once'])).code).toBe(9);
  const state = JSON.parse(fs.readFileSync(file, 'utf8')) as { pid: number; error?: unknown };
  expect(state).toMatchObject({ pid: first.pid });
  expect(state.error).toBeUndefined();
});

test('after a replicator was killed, the next one can start at once', async () => {
  const { database, words, first } = await followed();
  const application = openApplication(database);
  onTestFinished(() => application.close());
  application.addRow();
  first.kill('SIGKILL');
  const { code, stdout } = await runProcess([...words, '-once']);
  expect(code, stdout).toBe(0);
});
