/** sluice register: adds a database to the running replicator, until it ends. */

import fs from 'node:fs';
import type { Arguments } from '../args.ts';
import type { RegisterAnswer, RegisterInput } from '../controlling/answers.ts';
import { namedDatabase, readTimeoutMs } from '../controlling/flags.ts';
import { askProcess } from '../controlling/process.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { printJSON, type Shell } from '../shell.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const path = namedDatabase(args);
  const urls = args.texts('replica');
  const timeoutMs = readTimeoutMs(args, 'sync');
  const input: RegisterInput = {
    path,
    urls: urls.length === 0 ? undefined : urls,
    dry_run: args.has('dry-run'),
  };
  const answer = await askProcess<RegisterAnswer>(args, shell, {
    command: 'register',
    input,
    timeoutMs,
  });
  if (args.has('json')) printJSON(shell, answer);
  else shell.stdout.write(`${shell.secrets.clean(describe(answer, urls.length > 0))}\n`);
  return EXIT_CODES.ok;
}

const WORDS: Readonly<Record<RegisterAnswer['status'], string>> = {
  registered: 'is replicated',
  already_registered: 'was replicated already',
  would_register: 'would be replicated',
};

function describe({ path, status, destinations }: RegisterAnswer, hasURLs: boolean): string {
  const to = destinations.map(({ name, target }) => `${name} (${target})`).join(', ');
  const until =
    status === 'registered' && hasURLs
      ? '; the next start does not know it: add it to the configuration'
      : '';
  const absent = fs.existsSync(path) ? '' : '; the file does not exist yet';
  return `${path}: ${WORDS[status]} to ${to}${absent}${until}`;
}
