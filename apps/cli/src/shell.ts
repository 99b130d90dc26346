/** The surroundings of a command: environment, streams, secrets. Tests supply their own. */

import type { Secrets } from './secrets.ts';

/** Names and values; an unset variable is undefined. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface Shell {
  readonly environment: Environment;
  /** Only if a person can answer questions there. */
  readonly terminal?: NodeJS.ReadableStream | undefined;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** Values that must not be printed; the list grows as the configuration is read. */
  readonly secrets: Secrets;
  /** Default paths of the configuration, in the order of the search. */
  readonly configPaths: readonly string[];
}

export const DEFAULT_CONFIG_PATHS: readonly string[] =
  process.platform === 'win32'
    ? ['.\\sluice.yml', 'C:\\Sluice\\sluice.yml', 'C:\\Litestream\\litestream.yml']
    : ['./sluice.yml', '/etc/sluice.yml', '/etc/litestream.yml'];

/** One line of JSON on stdout. */
export function printJSON(shell: Shell, value: unknown): void {
  shell.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Prints a table for people on stdout. */
export function printTable(
  shell: Shell,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  /** Adds a color to a padded cell. */
  paint: (cell: string, column: number, row: number) => string = (cell) => cell,
): void {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  for (const [index, row] of all.entries()) {
    const cells = row.map((cell, column) => {
      const padded = cell.padEnd(widths[column] ?? 0);
      return index === 0 ? padded : paint(padded, column, index - 1);
    });
    shell.stdout.write(`${cells.join('  ').trimEnd()}\n`);
  }
}
