/** docs/recover.md, step by step, on a database that was damaged. */

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { expect, test, vi } from 'vitest';
import { CLI, CLIProcess } from '../../apps/cli/test/support/process.ts';
import { temporaryFolder, writeFile } from '../../apps/cli/test/support/temporary.ts';
import { blocksOf, sectionOf } from '../../scripts/docs/markdown.mjs';
import { readFile } from './markdown-files.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

const PAGE = readFile('docs/recover.md');
/** Those of the numbered steps. */
const STEPS = blocksOf(PAGE.split('\n## ')[0] ?? '', 'sh').map(({ text }) => text);

/** Programs of the page. `systemctl` writes down what it was asked. */
function programs(folder: string): string {
  const write = (name: string, text: string): string => {
    const file = writeFile(folder, name, text);
    fs.chmodSync(file, 0o755);
    return file;
  };
  write('sluice', `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`);
  write('systemctl', `#!/bin/sh\necho "$@" >> '${folder}/systemctl.log'\n`);
  const library = fileURLToPath(import.meta.resolve('better-sqlite3'));
  const query = write(
    'query.cjs',
    `const [, , file, sql] = process.argv;
console.log(new (require(${JSON.stringify(library)}))(file).prepare(sql).pluck().get());`,
  );
  write('sqlite3', `#!/bin/sh\nexec '${process.execPath}' '${query}' "$@"\n`);
  return folder;
}

function withDatabase<T>(file: string, work: (database: Database.Database) => T): T {
  const database = new Database(file);
  try {
    return work(database);
  } finally {
    database.close();
  }
}

test('docs/recover.md leads from a damaged database to a replicated one', async () => {
  const cwd = temporaryFolder();
  const folder = path.join(cwd, 'app');
  const file = path.join(folder, 'app.db');
  fs.mkdirSync(folder);
  const config = writeFile(
    cwd,
    'sluice.yml',
    `dbs: [{ path: ${file}, replicas: [{ path: ${cwd}/near }, { name: far, path: ${cwd}/far }] }]\n`,
  );
  withDatabase(file, (database) => {
    database.pragma('journal_mode = WAL');
    database.exec('CREATE TABLE orders (x); INSERT INTO orders VALUES (1), (2), (3)');
  });
  const env = { ...process.env, PATH: `${programs(temporaryFolder())}:${process.env['PATH']}` };
  const run = async (text: string): Promise<string> => {
    const here = text.replaceAll('/var/lib/app', folder).replaceAll('/etc/', `${cwd}/`);
    return (await promisify(execFile)('sh', ['-ec', here], { cwd, env })).stdout;
  };

  let replicator = new CLIProcess(['replicate', '-config', config]);
  await replicator.says(/full snapshot/);
  await run(`sluice sync -wait ${file}`);

  const shown: string[] = [];
  for (const step of STEPS) {
    if (step.startsWith('systemctl stop')) {
      shown.push(await run(step));
      replicator.kill('SIGTERM');
      expect((await replicator.ended()).code).toBe(0);
      fs.writeFileSync(file, 'not a database any more');
    } else if (step.startsWith('systemctl start')) {
      replicator = new CLIProcess(['replicate', '-config', config]);
      await replicator.says(/full snapshot/);
      await run(`sluice sync -wait ${file}`);
      shown.push(await run(step));
    } else shown.push(await run(step));
  }

  const text = shown.join('\n');
  expect(text).toMatch(/moments, newest first/);
  expect(text).toMatch(/^restored .*app\.db from /m);
  expect(text).toMatch(/^3$/m);
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  const names = fs.readdirSync(folder);
  expect(names.filter((name) => /^app\.db\.before-\d{8}T\d{6}Z$/.test(name))).toHaveLength(1);
  replicator.kill('SIGTERM');
  expect((await replicator.ended()).code).toBe(0);
  expect(
    withDatabase(file, (database) => database.prepare('SELECT count(*) FROM orders').pluck().get()),
  ).toBe(3);
});

test('docs/recover.md says what to do in each case that a restore names', () => {
  const section = sectionOf(PAGE, 'if-it-fails') ?? '';
  for (const flag of ['-replica NAME', '-txid', '-resume', '-force', '-timestamp', '-o']) {
    expect(section).toContain(flag);
  }
});
