/** What -help prints, of the table. */

import { COMMANDS, type Command, type Flag } from './flags.ts';

export function helpOf(command: Command): string {
  const works = command.flags.filter((flag) => flag.refused === undefined);
  const lines = works.map((flag) => `  ${nameOf(flag).padEnd(28)}${flag.help}`);
  return [`usage: sluice ${command.usage}`, '', command.help, '', ...lines, ''].join('\n');
}

export function helpOfAll(): string {
  const works = COMMANDS.filter((command) => command.refused === undefined);
  const lines = works.map((command) => `  ${command.name.padEnd(12)}${command.help}`);
  return [
    'Sluice: streaming backup of SQLite to several places at once.',
    '',
    'usage: sluice COMMAND [flags]',
    '',
    ...lines,
    '',
    'sluice COMMAND -help tells the flags of a command.',
    '',
  ].join('\n');
}

export function nameOf(flag: Flag): string {
  return `-${flag.name}${flag.value === undefined ? '' : ` ${flag.value}`}`;
}
