/** `sync` and `info` talk to a running replicator. What `sync -wait` has said is true after a kill. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { addRows, countRows } from '../support/database.ts';
import { CLIProcess, runProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';

vi.setConfig({ testTimeout: 300_000 });

interface Scene {
  readonly folder: string;
  readonly databases: readonly string[];
  readonly configuration: string;
  readonly replicator: CLIProcess;
}

/** A replicator of two databases; the first has two destinations. */
async function replicated(): Promise<Scene> {
  const folder = temporaryFolder();
  const databases = ['app.db', 'other.db'].map((name) => path.join(folder, name));
  for (const database of databases) addRows(database, 5);
  const configuration = path.join(folder, 'sluice.yml');
  const [app, other] = databases;
  fs.writeFileSync(
    configuration,
    `dbs:
  - path: ${app}
    replicas: [{ name: a, path: ${folder}/a }, { name: b, path: ${folder}/b }]
  - path: ${other}
    replica: { name: c, path: ${folder}/c }
`,
  );
  const replicator = new CLIProcess(['replicate', '-config', configuration]);
  await replicator.says(/taking a full snapshot/);
  return { folder, databases, configuration, replicator };
}

test('what sync -wait has confirmed is at every destination after a kill', async () => {
  const { folder, databases, configuration, replicator } = await replicated();
  const [app = ''] = databases;
  const words = ['sync', '-config', configuration];
  expect((await runProcess([...words, '-wait', app])).code).toBe(0);
  // The replicator has just started: its state file said "opening" when the answer came.
  const status = await runProcess(['status', '-config', configuration, app]);
  expect(status.code, status.stdout).toBe(0);
  addRows(app, 7);
  const { code, stdout, stderr } = await runProcess([...words, '-wait', '-json', app]);
  replicator.kill('SIGKILL');
  expect(code, stderr).toBe(0);
  const [answer] = JSON.parse(stdout) as [Record<string, unknown>];
  expect(answer).toEqual({
    path: app,
    status: 'synced',
    txid: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown,
    destinations: ['a', 'b'],
  });
  await replicator.ended();
  for (const name of ['a', 'b']) {
    const output = path.join(temporaryFolder(), 'restored.db');
    expect((await runProcess(['restore', '-o', output, `file://${folder}/${name}`])).code).toBe(0);
    expect(countRows(output)).toBe(12);
  }
  // The socket that the kill has left is not a running replicator.
  const alone = await runProcess([...words, app]);
  expect(alone.code).toBe(15);
  expect(alone.stderr).toMatch(
    /^sluice: send sync to the replicator of .*: none listens in .*; start "sluice replicate" with the same configuration.*\(NOT_RUNNING\)\n$/,
  );
});

test('sync and info of all databases, until the replicator ends', async () => {
  const { databases, configuration, replicator } = await replicated();
  const all = await runProcess(['sync', '-config', configuration, '-durable', 'any']);
  expect(all.code, all.stderr).toBe(0);
  const lines = all.stdout.trimEnd().split('\n');
  expect(lines.map((line) => line.replace(/TXID \w+ is at (?:a|b|a, b|c)$/, 'at'))).toEqual(
    databases.map((database) => `${database}: at`),
  );
  const staged = await runProcess(['sync', '-config', configuration, databases[1] ?? '']);
  expect(staged.stdout).toMatch(/: TXID [0-9a-f]{16} is staged, and at c\n$/);
  const info = await runProcess(['info', '-config', configuration, '-json']);
  expect(JSON.parse(info.stdout)).toMatchObject([
    {
      pid: replicator.pid,
      database_count: 2,
      databases: databases.map((file) => ({ path: file, state: 'following', healthy: true })),
    },
  ]);
  expect((await runProcess(['info', '-config', configuration])).stdout).toContain(
    `process ${replicator.pid}, since `,
  );
  replicator.kill('SIGTERM');
  expect((await replicator.ended()).code).toBe(0);
  const after = await runProcess(['info', '-config', configuration]);
  expect(after.code).toBe(15);
});

test('a destination that does not take the commit is named', async () => {
  const { folder, databases, configuration } = await replicated();
  const [app = ''] = databases;
  const words = ['sync', '-config', configuration];
  expect((await runProcess([...words, '-wait', app])).code).toBe(0);
  fs.rmSync(path.join(folder, 'b'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'b'), 'not a folder');
  addRows(app, 1);
  const late = await runProcess([...words, '-wait', '-timeout', '2', app]);
  expect(late.code).toBe(3);
  expect(late.stderr).toMatch(
    /^sluice: wait until TXID \w+ of .* is at 2 of 2 destinations: .* it is at a; b is .*\(NOT_DURABLE\)\n$/,
  );
  expect((await runProcess([...words, '-durable', '1', app])).stdout).toMatch(/ is at a\n$/);
  const many = await runProcess([...words, '-durable', '3', app]);
  expect(many).toMatchObject({ code: 2 });
  expect(many.stderr).toContain('there are 2, not 3: give a number from 1 to 2, or "all"');
});

test.each([
  ['-durable', 'some'],
  ['-durable', '0'],
  ['-timeout', 'soon'],
])('%s %s is refused', async (name, value) => {
  const { code, stderr } = await runProcess(['sync', name, value, '/data/app.db']);
  expect(code).toBe(2);
  expect(stderr).toContain(`sluice sync: ${name} is a`);
});
