/** The output of -help, generated from the table of commands. */

import type { Command, Flag } from './surface/command.ts';
import { COMMANDS } from './surface/commands.ts';

/** Wide enough for every flag but the longest. */
const FLAG_WIDTH = 26;
const COMMAND_WIDTH = 12;

export function helpOf(command: Command): string {
  const lines = command.flags
    .filter(({ support }) => support.kind === 'works')
    .map((flag) => `  ${nameOf(flag).padEnd(FLAG_WIDTH)} ${flag.help}`);
  const examples = (command.examples ?? []).map((example) => `  ${example}`);
  const parts = [
    [`usage: sluice ${command.usage}`],
    [command.help],
    ['flags, with one dash or two:', ...lines],
    ...(examples.length > 0 ? [['for example:', ...examples]] : []),
    [`More: sluice help docs/commands.md#${command.name}`],
    [''],
  ];
  return parts.map((part) => part.join('\n')).join('\n\n');
}

export function helpOfAll(): string {
  const lines = COMMANDS.filter(({ support }) => support.kind === 'works').map(
    ({ name, help }) => `  ${name.padEnd(COMMAND_WIDTH)} ${help}`,
  );
  return [
    'Sluice: streaming backup of SQLite to several destinations at once',
    '',
    'usage: sluice COMMAND [flags]',
    '',
    ...lines,
    '',
    'Run "sluice COMMAND -help" for the flags of a command, and "sluice help CODE" for what an error code means.',
    '"sluice help pages" lists the pages of the documentation, and "sluice help PAGE" prints one.',
    '',
  ].join('\n');
}

export function nameOf(flag: Flag): string {
  if (flag.value === undefined) return `-${flag.name}`;
  return flag.kind === 'optional' ? `-${flag.name}[=${flag.value}]` : `-${flag.name} ${flag.value}`;
}
