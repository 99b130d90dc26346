/** The command line tool: finds the command, loads only that, and gives its exit code. */

import { parseArguments, type Arguments } from './args.ts';
import { describeError } from './describe-error.ts';
import { EXIT_CODES, exitCodeOf } from './exit-codes.ts';
import { helpOf, helpOfAll } from './help.ts';
import { Interrupted } from './interrupt.ts';
import { nearest } from '@sluice/core/backend';
import type { Shell } from './shell.ts';
import { COMMANDS, findCommand, type Command } from './surface/commands.ts';
import { refusalOf } from './surface/fate.ts';

type Run = (args: Arguments, shell: Shell) => Promise<number>;

/** Loaded when they run: help and version need none of the engine. */
const RUNS: Readonly<Record<string, () => Promise<{ run: Run }>>> = {
  replicate: () => import('./commands/replicate.ts'),
  restore: () => import('./commands/restore.ts'),
  databases: () => import('./commands/databases.ts'),
  ltx: () => import('./commands/ltx.ts'),
  status: () => import('./commands/status.ts'),
  version: () => import('./commands/version.ts'),
};

/** The exit code of `sluice <words>`. Whatever goes wrong is said on stderr. */
export async function runCLI(words: readonly string[], shell: Shell): Promise<number> {
  const [first, ...rest] = words;
  if (first === undefined || /^(-h|--?help|help)$/.test(first)) return help(rest[0], first, shell);
  const command = findCommand(first.replace(/^--?version$/, 'version'));
  if (command === undefined) return usage(unknownCommand(first), shell);
  if (command.fate.kind === 'refused') {
    return usage(`${command.name}: ${refusalOf(command.fate)}`, shell);
  }
  try {
    const args = parseArguments(command, rest);
    if (args.has('help')) return help(command.name, 'help', shell);
    const { run } = (await RUNS[command.aliasOf ?? command.name]?.()) ?? {};
    return run === undefined ? usage(unknownCommand(first), shell) : await run(args, shell);
  } catch (error) {
    const said = error instanceof Interrupted ? `sluice: ${error.message}` : describeError(error);
    shell.stderr.write(`${shell.secrets.clean(said)}\n`);
    return error instanceof Interrupted ? error.exitCode : exitCodeOf(error);
  }
}

/** `sluice help restore`, and `sluice` alone, which is a mistake and is told what there is. */
function help(name: string | undefined, asked: string | undefined, shell: Shell): number {
  const command = name === undefined ? undefined : findCommand(name);
  if (asked === undefined) {
    shell.stderr.write(helpOfAll());
    return EXIT_CODES.usage;
  }
  shell.stdout.write(command === undefined ? helpOfAll() : helpOf(command));
  return EXIT_CODES.ok;
}

function usage(message: string, shell: Shell): number {
  shell.stderr.write(`sluice ${message}\n`);
  return EXIT_CODES.usage;
}

function unknownCommand(name: string): string {
  const known = COMMANDS.filter(({ fate }: Command) => fate.kind !== 'refused');
  const meant = nearest(
    name,
    known.map((command) => command.name),
  );
  const hint = meant === undefined ? 'see "sluice help"' : `did you mean ${meant}?`;
  return `${name}: there is no such command; ${hint}`;
}
