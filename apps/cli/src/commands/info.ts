/** sluice info: describes the running replicators of the configured databases. */

import { isError, type InfoAnswer } from '@sluice/core';
import type { Arguments } from '../args.ts';
import { askAll, findFollowed } from '../controlling/followed.ts';
import { readTimeoutMs } from '../controlling/flags.ts';
import { describeError } from '../describe-error.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { printJSON, printTable, type Shell } from '../shell.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const timeoutMs = readTimeoutMs(args, 'info');
  const databases = await findFollowed(args, shell);
  const processes = new Map<number, InfoAnswer>();
  const errors: Error[] = [];
  // One process answers for all of its databases: it is asked once.
  for (const database of databases) {
    const isKnown = [...processes.values()].some((info) => hasDatabase(info, database.path));
    if (isKnown) continue;
    const call = { command: 'info', timeoutMs };
    const { answers, errors: failed } = await askAll<InfoAnswer>([database], call);
    for (const answer of answers) processes.set(answer.pid, answer);
    errors.push(...failed);
  }
  const unexpected = errors.find((error) => !isError(error, 'NOT_RUNNING'));
  if (unexpected !== undefined) throw unexpected;
  const [first, ...others] = errors;
  if (processes.size === 0 && first !== undefined) throw first;
  if (args.has('json')) printJSON(shell, [...processes.values()]);
  else for (const info of processes.values()) print(info, shell);
  if (first === undefined) return EXIT_CODES.ok;
  for (const error of others) shell.stderr.write(`${describeError(error)}\n`);
  throw first;
}

function hasDatabase({ databases }: InfoAnswer, file: string): boolean {
  return databases.some(({ path }) => path === file);
}

function print({ version, pid, started_at: since, databases }: InfoAnswer, shell: Shell): void {
  shell.stdout.write(`sluice ${version}, process ${pid}, since ${since}\n`);
  printTable(
    shell,
    ['  database', 'state', 'txid', 'healthy'],
    databases.map(({ path, state, txid, healthy }) => [
      `  ${path}`,
      state,
      txid ?? '-',
      healthy ? 'yes' : 'no',
    ]),
  );
}
