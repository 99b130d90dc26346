/** `sluice status` for people who look at it: again and again, and in color on a terminal. */

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { addRows } from '../support/database.ts';
import { CLI, CLIProcess, runProcess } from '../support/process.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

/** One destination is up to date, the other has nothing. */
async function scene(): Promise<string> {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  addRows(database, 3);
  const [full, empty] = ['full', 'empty'].map((name) => path.join(folder, name));
  await runProcess(['replicate', '-once', database, `file://${full}`]);
  return writeFile(
    folder,
    'sluice.yml',
    `dbs: [{ path: ${database}, replicas: [{ url: 'file://${full}' }, { name: none, url: 'file://${empty}' }] }]`,
  );
}

test('-watch looks again until a signal ends it', async () => {
  const config = await scene();
  const status = new CLIProcess(['status', '-watch=100ms', '-config', config]);
  await status.says(/^(\S+Z)\n[^]*ok[^]*\n\S+Z\n[^]*ok/);
  status.kill('SIGINT');
  const { code, stderr } = await status.ended();
  expect([code, stderr]).toEqual([130, 'sluice: stopped by SIGINT\n']);
});

test.each(['0s', 'often', '2h'])('-watch=%s is refused', async (value) => {
  const config = writeFile(
    temporaryFolder(),
    'a.yml',
    'dbs: [{ path: /d, replica: { path: /b } }]',
  );
  const { code, stderr } = await sluice(['status', `-watch=${value}`, '-config', config]);
  expect([code, stderr]).toEqual([2, expect.stringContaining('-watch is a duration')]);
});

/** Shown on a terminal. */
function onTerminal(config: string, environment: NodeJS.ProcessEnv): string {
  const command = `'${process.execPath}' '${CLI}' status -config '${config}'`;
  const { NO_COLOR: _, ...env } = process.env;
  const run = spawnSync('script', ['-qec', command, '/dev/null'], {
    env: { ...env, TERM: 'xterm', ...environment },
    encoding: 'utf8',
    input: '',
  });
  return run.stdout;
}

test('states are colored on a terminal, but not with NO_COLOR, nor in a file', async () => {
  const config = await scene();
  const green = '\u001B[32m';
  const red = '\u001B[31m';
  const shown = onTerminal(config, {});
  expect(shown).toContain(`${green}ok `);
  expect(shown).toContain(`${red}REPLICA_DESTINATION_NOT_FOUND`);
  expect(onTerminal(config, { NO_COLOR: '1' })).not.toContain('\u001B[3');
  expect(onTerminal(config, { TERM: 'dumb' })).not.toContain('\u001B[3');
  expect((await runProcess(['status', '-config', config])).stdout).not.toContain('\u001B');
});
