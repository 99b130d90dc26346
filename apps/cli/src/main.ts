#!/usr/bin/env node
/** The command line tool: finds the command, loads only that, and ends with its exit code. */

import { parseArguments } from './args.ts';
import { findCommand, COMMANDS, type Command } from './flags.ts';
import { helpOf, helpOfAll } from './help.ts';
import type { Arguments } from './args.ts';

type Run = (args: Arguments) => Promise<number>;

/** Loaded when they run: help and version need none of the engine. */
const RUNS: Readonly<Record<string, () => Promise<{ run: Run }>>> = {
  replicate: () => import('./commands/replicate.ts'),
  restore: () => import('./commands/restore.ts'),
  databases: () => import('./commands/databases.ts'),
  ltx: () => import('./commands/ltx.ts'),
  status: () => import('./commands/status.ts'),
  version: () => import('./commands/version.ts'),
};

const NODE_MIN = [22, 18] as const;
const USAGE_EXIT_CODE = 2;

async function main(words: readonly string[]): Promise<number> {
  const [first, ...rest] = words;
  if (first === undefined || /^(-h|--?help|help)$/.test(first)) {
    process.stdout.write(helpOfAll());
    return first === undefined ? USAGE_EXIT_CODE : 0;
  }
  const command = findCommand(first.replace(/^--?version$/, 'version'));
  if (command === undefined) return await unknownCommand(first);
  if (command.refused !== undefined) {
    process.stderr.write(`sluice ${command.name} ${command.refused}\n`);
    return USAGE_EXIT_CODE;
  }
  return await runCommand(command, rest);
}

async function runCommand(command: Command, words: readonly string[]): Promise<number> {
  try {
    const args = parseArguments(command, words);
    if (args.has('help')) {
      process.stdout.write(helpOf(command));
      return 0;
    }
    const loaded = await RUNS[command.name]?.();
    return loaded === undefined ? USAGE_EXIT_CODE : await loaded.run(args);
  } catch (error) {
    const { exitCodeOf } = await import('./exit-codes.ts');
    const { describeError } = await import('./describe-error.ts');
    process.stderr.write(`${describeError(error)}\n`);
    return exitCodeOf(error);
  }
}

async function unknownCommand(name: string): Promise<number> {
  const { nearest } = await import('@sluice/core/backend');
  const meant = nearest(
    name,
    COMMANDS.map((command) => command.name),
  );
  const hint = meant === undefined ? 'see "sluice help"' : `did you mean ${meant}?`;
  process.stderr.write(`unknown command "${name}": ${hint}\n`);
  return USAGE_EXIT_CODE;
}

function refuseOldNode(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  process.stderr.write(
    `this is Node ${process.versions.node}; sluice needs Node >= ${NODE_MIN.join('.')}\n`,
  );
  process.exit(USAGE_EXIT_CODE);
}

refuseOldNode();
process.exitCode = await main(process.argv.slice(2));
