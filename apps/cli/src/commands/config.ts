/** sluice config check: reads the configuration and prints its result, without connecting anywhere. */

import { formatDuration } from '@sluice/core/config';
import { isError, type ReplicationError } from '@sluice/core/backend';
import { usageError, type Arguments } from '../args.ts';
import { describeEmpty } from '../config/directory.ts';
import { loadConfig } from '../config/load.ts';
import type { Config, DatabaseConfig } from '../config/model.ts';
import { spell, type Problem } from '../config/problems.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { printJSON, printTable, type Shell } from '../shell.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const [verb, file] = args.positionals;
  if (verb !== 'check') {
    const given = verb === undefined ? '' : `, not "${verb}"`;
    throw usageError(args.command, `write "sluice config check"${given}`);
  }
  if (file !== undefined) {
    throw usageError(args.command, `write "sluice config check -config ${file}"`);
  }
  if (args.has('json')) return await checkAsJSON(args, shell);
  const config = await loadConfig(args, shell);
  print(config, shell);
  return EXIT_CODES.ok;
}

/** In JSON, the problems are part of the output. */
async function checkAsJSON(args: Arguments, shell: Shell): Promise<number> {
  try {
    const config = await loadConfig(args, shell);
    printJSON(shell, {
      ok: true,
      file: config.source,
      problems: [],
      notes: [...config.notes, ...describeEmpty(config)].map((note) => shell.secrets.clean(note)),
      databases: config.databases.map(toJSON),
    });
    return EXIT_CODES.ok;
  } catch (error) {
    if (!isError(error, 'CONFIG_INVALID')) throw error;
    const problems = problemsOf(error).map(({ message, ...where }) => ({
      ...where,
      message: shell.secrets.clean(message),
    }));
    printJSON(shell, { ok: false, problems });
    return EXIT_CODES.usage;
  }
}

function problemsOf(error: ReplicationError): { line?: number; key?: string; message: string }[] {
  const issues: readonly Problem[] = error.issues ?? [];
  if (issues.length === 0) return [{ message: error.message }];
  return issues.map(({ path, line, message }) => ({
    ...(line === undefined ? {} : { line }),
    key: spell(path),
    message,
  }));
}

function toJSON({ options, destinations }: DatabaseConfig): object {
  return {
    path: options.path,
    sync_interval: formatDuration(options.syncIntervalMs ?? 0),
    destinations: destinations.map(({ name, type, target }) => ({ name, type, target })),
  };
}

function print(config: Config, shell: Shell): void {
  const { source, databases, notes } = config;
  shell.stdout.write(`${source} is valid\n`);
  printTable(
    shell,
    ['path', 'destination', 'type', 'target'],
    databases.flatMap(({ options, destinations }) =>
      destinations.map(({ name, type, target }) => [options.path, name, type, target]),
    ),
  );
  for (const note of [...notes, ...describeEmpty(config)])
    shell.stdout.write(`note: ${shell.secrets.clean(note)}\n`);
}
