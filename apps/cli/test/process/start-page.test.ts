/** docs/start.md, step by step, as a new user runs it. */

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { findCommand } from '../../src/surface/commands.ts';
import { parseArguments } from '../../src/args.ts';
import { splitWords } from '../../src/shell-words.ts';
import { CLI, CLIProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

const DOCS = fileURLToPath(new URL('../../../../docs/', import.meta.url));

/** The blocks of shell commands of a page, in order. */
function blocksOf(page: string): string[] {
  const text = fs.readFileSync(path.join(DOCS, page), 'utf8');
  return [...text.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, block = '']) => block);
}

/** `sluice` and `sqlite3` as programs in a folder. */
function programs(): string {
  const folder = temporaryFolder();
  const write = (name: string, text: string): void =>
    fs.writeFileSync(path.join(folder, name), text, { mode: 0o755 });
  write('sluice', `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`);
  const library = fileURLToPath(import.meta.resolve('better-sqlite3'));
  write(
    'sqlite3.cjs',
    `const [, , file, sql] = process.argv;
const database = new (require(${JSON.stringify(library)}))(file);
if (/^SELECT/.test(sql)) for (const row of database.prepare(sql).raw().all()) console.log(row.join('|'));
else database.exec(sql);
`,
  );
  write('sqlite3', `#!/bin/sh\nexec '${process.execPath}' '${folder}/sqlite3.cjs' "$@"\n`);
  return folder;
}

test('docs/start.md leads from a database to its restore', async () => {
  const cwd = temporaryFolder();
  const env = { ...process.env, PATH: `${programs()}:${process.env['PATH']}` };
  const run = promisify(execFile);
  const shown: string[] = [];
  let replicator: CLIProcess | undefined;
  for (const block of blocksOf('start.md')) {
    if (block === 'sluice replicate\n') {
      replicator = new CLIProcess(['replicate', '-config', path.join(cwd, 'sluice.yml')]);
      await replicator.says(/full snapshot/);
      continue;
    }
    if (block.startsWith('rm ')) {
      replicator?.kill('SIGINT');
      expect((await replicator?.ended())?.code).toBe(0);
    }
    const { stdout } = await run('sh', ['-ec', block], { cwd, env });
    shown.push(stdout);
  }
  expect(replicator).toBeDefined();
  expect(shown.at(-1)).toMatch(/\nfirst\nsecond\n$/);
});

const COMMANDS_OF_PAGES = ['start.md', 'operations.md'].flatMap((page) =>
  blocksOf(page).flatMap((block) =>
    [...block.matchAll(/(?:^|[(])sluice ([^)>\n]*)/gm)].map(([, words = '']) => [
      page,
      words.trim(),
    ]),
  ),
);

test.each(COMMANDS_OF_PAGES)('docs/%s: sluice %s is a command with known flags', (_, line = '') => {
  const [name = '', ...words] = splitWords(line.replaceAll('$PWD', '/srv'));
  const command = findCommand(name);
  expect(command?.support.kind).toBe('works');
  if (command !== undefined) expect(() => parseArguments(command, words)).not.toThrow();
});

test.each(['start.md', 'operations.md'])('links of docs/%s lead to files that exist', (page) => {
  const text = fs.readFileSync(path.join(DOCS, page), 'utf8');
  const links = [...text.matchAll(/\]\(([^)#]+)/g)].map(([, link = '']) => link);
  expect(links.length).toBeGreaterThan(1);
  expect(links.filter((link) => !fs.existsSync(path.join(DOCS, link)))).toEqual([]);
});
