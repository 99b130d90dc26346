/** What docs/security.md says about policies and about the modes of files. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { addRows } from '../../apps/cli/test/support/database.ts';
import { CLIProcess, runProcess } from '../../apps/cli/test/support/process.ts';
import { temporaryFolder, writeFile } from '../../apps/cli/test/support/temporary.ts';
import { blocksOf } from '../../scripts/docs/markdown.mjs';
import { readFile } from './markdown-files.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

const PAGE = readFile('docs/security.md');

interface Policy {
  readonly Statement: readonly { readonly Action: string | readonly string[] }[];
}

function policiesOf(text: string): Policy[] {
  return blocksOf(text, 'json').map((block) => JSON.parse(block.text) as Policy);
}

test('the policy of S3 without deletion is the one for replication without s3:DeleteObject', () => {
  const [replication] = policiesOf(readFile('packages/s3/README.md'));
  const withoutDeletion = {
    ...replication,
    Statement: replication?.Statement.map((statement) => ({
      ...statement,
      Action: [statement.Action].flat().filter((action) => action !== 's3:DeleteObject'),
    })),
  };
  const written = policiesOf(PAGE).map((policy) => ({
    ...policy,
    Statement: policy.Statement.map((each) => ({ ...each, Action: [each.Action].flat() })),
  }));
  expect(written).toEqual([withoutDeletion]);
});

/** The mode of a file or folder, such as "0600". */
function modeOf(file: string): string {
  return (fs.statSync(file).mode & 0o777).toString(8).padStart(4, '0');
}

/** The modes of what is in a folder, by their names. */
function modesIn(folder: string): Record<string, string> {
  const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return Object.fromEntries(names.map((name) => [name, modeOf(path.join(folder, name))]));
}

/** The second column of the row of the table whose first column has this text. */
function rowOf(text: string): string {
  const row = PAGE.split('\n').find((line) => line.startsWith('| ') && line.includes(text));
  return row?.split(' | ')[1] ?? '';
}

test('files have the modes that docs/security.md says, with a umask of 022', async () => {
  const umask = process.umask(0o022); // inherited by the processes
  onTestFinished(() => void process.umask(umask));
  const folder = temporaryFolder();
  const file = path.join(folder, 'app.db');
  addRows(file, 3);
  fs.chmodSync(file, 0o640);
  const replicator = new CLIProcess(['replicate', file, `file://${folder}/backup`]);
  await replicator.says(/full snapshot/);
  expect((await runProcess(['sync', '-wait', file])).code).toBe(0);

  const records = ['position', 'checksums', 'status.json'].map((name) =>
    path.join(folder, '.app.db-sluice', name),
  );
  await expect.poll(() => records.every((name) => fs.existsSync(name))).toBe(true);

  expect(rowOf('staged files')).toMatch(/^0600:/);
  const staging = modesIn(path.join(folder, '.app.db-sluice'));
  const staged = Object.keys(staging).filter((name) => name.endsWith('.ltx'));
  expect(staged.length).toBeGreaterThan(0);
  for (const name of [...staged, 'position', 'checksums']) expect(staging[name]).toBe('0600');
  expect(rowOf('the records there')).toMatch(/^what the umask allows/);
  expect(staging['status.json']).toBe('0644');

  expect(rowOf('control sockets')).toMatch(/^0600, in a folder with 0700/);
  expect(staging).toMatchObject({ control: '0700', [path.join('control', 'socket')]: '0600' });

  expect(rowOf('destinations of type')).toMatch(/^files 0600, folders 0755 minus the umask/);
  const backup = modesIn(path.join(folder, 'backup'));
  for (const [name, mode] of Object.entries(backup)) {
    const isFolder = fs.statSync(path.join(folder, 'backup', name)).isDirectory();
    expect(`${name} ${mode}`).toBe(`${name} ${isFolder ? '0755' : '0600'}`);
  }

  replicator.kill('SIGTERM');
  expect((await replicator.ended()).code).toBe(0);
  const restore = async (...words: string[]): Promise<void> =>
    expect((await runProcess(['restore', ...words, `file://${folder}/backup`])).code).toBe(0);
  expect(rowOf('a restored database')).toContain('without one 0644 minus the umask');
  await restore('-o', `${folder}/new.db`);
  expect(modeOf(`${folder}/new.db`)).toBe('0644');
  await restore('-force', '-o', file);
  expect(modeOf(file)).toBe('0640');
});

test('sluice init writes a configuration that only its owner can read', async () => {
  const folder = temporaryFolder();
  const config = path.join(folder, 'sluice.yml');
  writeFile(folder, 'app.db', '');
  const words = ['init', '-o', config, path.join(folder, 'app.db'), `file://${folder}/backup`];
  expect((await runProcess(words)).code).toBe(0);
  expect(rowOf('`sluice.yml` by')).toMatch(/^0600/);
  expect(modeOf(config)).toBe('0600');
});
