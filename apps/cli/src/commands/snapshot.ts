/** sluice snapshot: has the running replicator make a full snapshot for all destinations now. */

import { ReplicationError } from '@sluice/core/backend';
import type { Arguments } from '../args.ts';
import type { DatabasesInput, SnapshotAnswer } from '../controlling/answers.ts';
import { readTimeoutMs } from '../controlling/flags.ts';
import { askProcess } from '../controlling/process.ts';
import { toDatabasePath } from '../config/schema.ts';
import { printJSON, type Shell } from '../shell.ts';
import { EXIT_CODES } from '../exit-codes.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const [argument] = args.positionals;
  const path = argument === undefined ? undefined : toDatabasePath(argument);
  const timeoutMs = readTimeoutMs(args, 'info');
  const input: DatabasesInput = { path };
  const call = { command: 'snapshot', input, timeoutMs };
  const answers = await askProcess<SnapshotAnswer[]>(args, shell, call, path);
  if (args.has('json')) printJSON(shell, answers);
  else for (const answer of answers) shell.stdout.write(`${describe(answer)}\n`);
  const refused = answers.filter(({ snapshot }) => snapshot === 'not following');
  if (refused.length === 0) return EXIT_CODES.ok;
  const names = refused.map((each) => each.path).join(', ');
  throw new ReplicationError(
    'DATABASE_BUSY',
    `snapshot ${names}: it is missing, or cannot be followed at present; see "sluice status"`,
  );
}

function describe({ path, snapshot }: SnapshotAnswer): string {
  switch (snapshot) {
    case 'ordered':
      return `${path}: a full snapshot is made and sent to every destination`;
    case 'under way':
      return `${path}: a full snapshot is being made already`;
    default:
      return `${path}: ${snapshot}`;
  }
}
