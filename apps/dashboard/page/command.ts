/** The command that restores what the page shows. Pure. */

export interface CommandInput {
  readonly path: string;
  /** ISO 8601; undefined: the newest state. */
  readonly at: string | undefined;
  readonly configArguments: string | undefined;
}

/** Writes beside the database: a restore never replaces a file by itself. */
export function restoreCommand({ path, at, configArguments }: CommandInput): string {
  const words = [
    'sluice restore',
    ...(configArguments === undefined ? [] : [configArguments]),
    ...(at === undefined ? [] : [`-timestamp ${at}`]),
    `-o ${quote(`${path}.restored`)}`,
    quote(path),
  ];
  return words.join(' ');
}

/** For a POSIX shell. */
export function quote(word: string): string {
  return /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
