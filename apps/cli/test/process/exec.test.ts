/** `sluice replicate -exec`. */

import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { addRows } from '../support/database.ts';
import { CLIProcess, runProcess } from '../support/process.ts';
import { closedEndpoint } from '../support/silent-server.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

function wordsFor(command: string): string[] {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  addRows(database, 3);
  return ['replicate', '-exec', command, database, `file://${path.join(folder, 'backup')}`];
}

test('it ends when the child ends, after a last sync', async () => {
  const { code, stdout } = await runProcess(wordsFor(`sh -c 'echo "it ran"'`));
  expect(code, stdout).toBe(0);
  expect(stdout).toContain('it ran\n');
  expect(stdout).toContain('file has everything');
});

test('the exit code is that of the child', async () => {
  expect((await runProcess(wordsFor(`sh -c 'exit 5'`))).code).toBe(5);
});

test('a child ended by a signal gives 128 plus its number', async () => {
  expect((await runProcess(wordsFor(`sh -c 'kill -9 $$'`))).code).toBe(137);
});

test('signals are passed to the child, and Sluice waits for it to end', async () => {
  // The shell waits in the background so that the trap runs at once.
  const child = `sh -c 'trap "echo got it; exit 7" TERM; echo "the child is up"; while :; do sleep 1 & wait $!; done'`;
  const sluice = new CLIProcess(wordsFor(child));
  await sluice.says(/the child is up/);
  sluice.kill('SIGTERM');
  const { code, stdout } = await sluice.ended();
  expect(code).toBe(7);
  expect(stdout).toContain('got it');
  expect(stdout).toContain('file has everything');
});

test('a command that cannot be started is an error, and nothing keeps running', async () => {
  const { code, stderr } = await runProcess(wordsFor('/no/such/program'));
  expect(code).toBe(2);
  expect(stderr).toContain('-exec: start /no/such/program: spawn /no/such/program ENOENT');
});

test('if a destination is behind, a child that exits 0 does not hide it', async () => {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  addRows(database, 3);
  const endpoint = await closedEndpoint();
  const config = writeFile(
    folder,
    'sluice.yml',
    `exec: "true"
shutdown-sync-timeout: 200ms
dbs:
- path: ${database}
  replica: { type: s3, bucket: b, endpoint: "${endpoint}", region: x, access-key-id: a, secret-access-key: bbbbbbbb }
`,
  );
  const { code, stdout } = await runProcess(['replicate', '-config', config]);
  expect(code, stdout).toBe(3);
});

test('the child gets our environment without the values read from files', async () => {
  const file = writeFile(temporaryFolder(), 'key', 'from-a-file');
  const environment = { AWS_SECRET_ACCESS_KEY_FILE: file, MINE: 'mine' };
  const child = `sh -c 'echo "key=[$AWS_SECRET_ACCESS_KEY] mine=[$MINE]"'`;
  const { stdout } = await runProcess(wordsFor(child), environment);
  expect(stdout).toContain('key=[] mine=[mine]');
});
