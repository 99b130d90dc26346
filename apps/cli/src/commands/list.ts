/** sluice list: the databases of the running replicator. */

import type { Arguments } from '../args.ts';
import type { ListAnswer } from '../controlling/answers.ts';
import { readTimeoutMs } from '../controlling/flags.ts';
import { askProcess } from '../controlling/process.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { printJSON, printTable, type Shell } from '../shell.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const timeoutMs = readTimeoutMs(args, 'info');
  const call = { command: 'list', timeoutMs };
  const answer = await askProcess<ListAnswer>(args, shell, call, args.positionals[0]);
  if (args.has('json')) printJSON(shell, answer);
  else print(answer, shell);
  return EXIT_CODES.ok;
}

function print({ databases }: ListAnswer, shell: Shell): void {
  if (databases.length === 0) shell.stdout.write('the replicator has no databases\n');
  else {
    printTable(
      shell,
      ['database', 'status', 'from', 'txid', 'healthy', 'destinations'],
      databases.map(({ path, status, origin, txid, healthy, destinations }) => [
        path,
        status,
        origin,
        txid ?? '-',
        healthy === undefined ? '-' : healthy ? 'yes' : 'no',
        destinations.join(', '),
      ]),
    );
  }
  for (const { path, error } of databases) {
    if (error !== undefined) shell.stdout.write(`! ${path}: ${error}\n`);
  }
}
