/** The completion scripts in real shells, and the manual page in a real formatter. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import {
  renderCompletion,
  SHELLS,
  type ShellName,
} from '../../../apps/cli/src/packaging/completion.ts';
import { COMMANDS } from '../../../apps/cli/src/surface/commands.ts';
import { sluice } from '../../../apps/cli/test/support/shell.ts';
import { describeWith, needTool } from '../../support/require.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const MANUAL = path.resolve(import.meta.dirname, '../../../apps/cli/man/sluice.1');

/** What is typed, with a tab, and the words that the command then gets. */
const TYPED: readonly (readonly [string, string])[] = [
  ['sluice replic\t', 'replicate'],
  ['sluice restore -if-d\t', 'restore -if-db-not-exists'],
  ['sluice restore --if-d\t', 'restore --if-db-not-exists'],
  ['sluice config ch\t', 'config check'],
  ['sluice completion pow\t', 'completion powershell'],
  ['sluice status -config read\t', 'status -config readme.yml'],
];

test.each(SHELLS)('sluice completion %s has every command and flag that works', async (shell) => {
  const { code, stdout } = await sluice(['completion', shell]);
  expect(code).toBe(0);
  for (const { name, flags, support } of COMMANDS) {
    if (support.kind !== 'works') continue;
    expect(stdout).toMatch(new RegExp(`\\b${name}\\b`));
    for (const flag of flags.filter((each) => each.support.kind === 'works')) {
      expect(stdout).toMatch(new RegExp(`[- ]${flag.name}\\b`));
    }
  }
});

test.each([[[]], [['tcsh']]])('completion %j is refused, and names the shells', async (words) => {
  const { code, stderr } = await sluice(['completion', ...words]);
  expect([code, stderr]).toEqual([2, expect.stringContaining('bash, zsh, fish, powershell')]);
});

describeWith(['bash'], 'completion in bash', () => {
  test.each(TYPED)('%j gives %j', async (typed, words) => {
    expect(await type('bash', ['--norc', '-i'], '', typed)).toContain(`GOT ${words}.`);
  });
});

describeWith(['zsh'], 'completion in zsh', () => {
  const start = 'autoload -U compinit; compinit -u -D; ';
  // zsh knows flags with one dash only.
  test.each(TYPED.filter(([typed]) => !typed.includes(' --')))(
    '%j gives %j',
    async (typed, words) => {
      expect(await type('zsh', ['-f', '-i'], start, typed)).toContain(`GOT ${words}.`);
    },
  );
});

describeWith(['fish'], 'completion in fish', () => {
  test.each([
    ['sluice replic', 'replicate'],
    ['sluice restore -if-d', '-if-db-not-exists'],
    ['sluice config ch', 'check'],
    ['sluice status -config read', 'readme.yml'],
  ])('%j offers %j', (typed, offered) => {
    const folder = folderFor('fish');
    const { stdout, stderr } = spawnSync(
      needTool('fish'),
      ['--no-config', '-c', `source script; complete -C '${typed}'`],
      { cwd: folder, encoding: 'utf8', env: { ...process.env, HOME: folder } },
    );
    expect(stderr).toBe('');
    expect(stdout.split('\n').map((line) => line.split('\t')[0])).toContain(offered);
  });
});

describeWith(['mandoc'], 'the manual page', () => {
  test('is correct, and shows every command', () => {
    const lint = spawnSync(needTool('mandoc'), ['-T', 'lint', '-W', 'warning', MANUAL], {
      encoding: 'utf8',
    });
    // There is no date: the page would change although nothing has.
    const complaints = lint.stdout
      .split('\n')
      .filter((line) => line !== '' && !line.includes('missing date'));
    expect(complaints).toEqual([]);
    const { stdout } = spawnSync(needTool('mandoc'), ['-T', 'utf8', MANUAL], { encoding: 'utf8' });
    for (const { name, support } of COMMANDS) {
      if (support.kind === 'works') expect(plain(stdout)).toContain(`sluice ${name}`);
    }
  });
});

/** Bold letters are written twice, with a backspace between them. */
function plain(text: string): string {
  const parts = text.split('\b');
  return parts.map((part, index) => (index < parts.length - 1 ? part.slice(0, -1) : part)).join('');
}

/** A folder with the script and a file. */
function folderFor(shell: ShellName): string {
  const folder = temporaryFolder('completion');
  fs.writeFileSync(path.join(folder, 'script'), renderCompletion(shell, COMMANDS));
  fs.writeFileSync(path.join(folder, 'readme.yml'), '');
  return folder;
}

/** Types into an interactive shell on a terminal, where `sluice` prints its words. Returns all that it shows. */
async function type(
  shell: 'bash' | 'zsh',
  flags: readonly string[],
  start: string,
  typed: string,
): Promise<string> {
  const folder = folderFor(shell);
  const env = { ...process.env, HOME: folder, PS1: '', TERM: 'dumb' };
  const command = [needTool(shell), ...flags].join(' ');
  const terminal = spawn('script', ['-qec', command, '/dev/null'], { cwd: folder, env });
  let shown = '';
  const ready = Promise.withResolvers<void>();
  terminal.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    if (/^READY/m.test(stripVTControlCharacters(shown))) ready.resolve();
  });
  const closed = once(terminal, 'close');
  terminal.stdin.write(`${start}source ./script; sluice() { echo "GOT $*."; }; echo "READ""Y"\n`);
  await Promise.race([ready.promise, closed]);
  terminal.stdin.write(`${typed}\nexit\n`);
  await closed;
  return stripVTControlCharacters(shown);
}
