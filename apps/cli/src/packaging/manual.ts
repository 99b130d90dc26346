/** The manual page sluice(1), generated from the tables of commands and variables. Its language is roff, with man(7). */

import { nameOf } from '../help.ts';
import type { Command } from '../surface/command.ts';
import type { Variable } from '../surface/environment.ts';

export function renderManual(table: readonly Command[], variables: readonly Variable[]): string {
  const commands = table.filter(({ support }) => support.kind === 'works');
  return [
    '.TH SLUICE 1 "" "Sluice" "User Commands"',
    '.SH NAME',
    'sluice \\- streaming backup of SQLite to several destinations at once',
    '.SH SYNOPSIS',
    '.B sluice',
    '.I COMMAND',
    '[flags]',
    '.SH DESCRIPTION',
    'Sluice reads the write\\-ahead log of SQLite databases while they are in use, and sends every commit to each',
    'destination: S3 and compatible stores, Google Cloud Storage, Azure Blob Storage, SFTP, or a folder.',
    'Any one destination is enough to restore a database, as it is now or as it was at a given time.',
    '.PP',
    'Flags have one dash or two, and their value follows after a space or an equals sign.',
    '.SH COMMANDS',
    ...commands.flatMap(renderCommand),
    '.SH ENVIRONMENT',
    ...variables.flatMap(({ name, help }) => ['.TP', `.B ${escape(name)}`, escape(`${help}.`)]),
    '.SH FILES',
    ...['./sluice.yml', '/etc/sluice.yml', '/etc/litestream.yml'].flatMap((file, index) => [
      '.TP',
      `.I ${escape(file)}`,
      index === 0 ? 'The configuration: the first of these that exists.' : 'See above.',
    ]),
    '.SH EXIT STATUS',
    'Zero if everything succeeded, 2 if the command or the configuration is wrong. "sluice help errors" prints all of them.',
    '.SH SEE ALSO',
    '.BR sqlite3 (1)',
    '',
  ].join('\n');
}

function renderCommand({ usage, help, flags, examples = [] }: Command): string[] {
  const shown = flags.filter(({ support }) => support.kind === 'works');
  return [
    `.SS sluice ${escape(usage)}`,
    escape(`${help[0]?.toUpperCase() ?? ''}${help.slice(1)}.`),
    ...shown.flatMap((flag) => ['.TP', `.B ${escape(nameOf(flag))}`, escape(`${flag.help}.`)]),
    ...(examples.length === 0
      ? []
      : ['.PP', 'Examples:', '.PP', '.nf', '.RS', ...examples.map(escape), '.RE', '.fi']),
  ];
}

/** Text of one line: a backslash, a dash, and a dot or quote at its start have a meaning in roff. */
function escape(text: string): string {
  const plain = text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('’', '\\(cq')
    .replaceAll('…', '\\&...')
    .replaceAll('"', '\\(dq');
  return /^[.']/.test(plain) ? `\\&${plain}` : plain;
}
