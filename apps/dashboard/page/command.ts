/** The command that restores what the page shows. Pure. */

export interface CommandInput {
  readonly path: string;
  /** ISO 8601; undefined: the newest state. */
  readonly at: string | undefined;
  readonly configFile: string | undefined;
  /** Instead of the database. */
  readonly restoreFrom?: string | undefined;
}

/** Writes beside the database: a restore never replaces a file by itself. */
export function restoreCommand({ path, at, configFile, restoreFrom }: CommandInput): string {
  const words = [
    'sluice restore',
    ...(configFile === undefined ? [] : [`-config ${quote(configFile)}`]),
    ...(at === undefined ? [] : [`-timestamp ${at}`]),
    `-o ${quote(`${path}.restored`)}`,
    quote(restoreFrom ?? path),
  ];
  return words.join(' ');
}

/** For a POSIX shell. */
export function quote(word: string): string {
  return /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
