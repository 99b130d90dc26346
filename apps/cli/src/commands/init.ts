/** sluice init: writes a first sluice.yml, for the given database and URLs or with placeholders. */

import path from 'node:path';
import { messageOf } from '@sluice/core';
import { usageError, type Arguments } from '../args.ts';
import { readCommandLine } from '../config/read.ts';
import { SCHEMA_URL } from '../config/schema-url.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { printJSON, type Shell } from '../shell.ts';
import { writeTextFile } from '../write-file.ts';

const PLACEHOLDERS = { database: '/data/app.db', url: 'file:///mnt/backup/app.db' };

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const [given, ...urls] = args.positionals;
  if (given !== undefined && urls.length === 0) {
    throw usageError(args.command, `no destination: write "sluice init ${given} URL"`);
  }
  const file = args.text('o') ?? 'sluice.yml';
  let text = render(PLACEHOLDERS.database, [PLACEHOLDERS.url]);
  if (given !== undefined) {
    const database = path.resolve(given);
    const { environment, secrets } = shell;
    // CONFIG_INVALID for a URL that a configuration would not accept.
    await readCommandLine(database, urls, { environment, secrets });
    text = render(database, urls);
  }
  try {
    writeTextFile(file, text, 'refuse');
  } catch (error) {
    throw usageError(args.command, `write ${file}: ${hintOf(error)}`);
  }
  if (args.has('json')) printJSON(shell, { file: path.resolve(file) });
  else shell.stdout.write(`${file} was written. ${nextSteps(file)}\n`);
  return EXIT_CODES.ok;
}

function hintOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EEXIST') return 'it exists already; edit it, or choose another file with -o';
  return `${messageOf(error)}; choose another file with -o`;
}

function nextSteps(file: string): string {
  const config = file === 'sluice.yml' ? '' : ` -config ${file}`;
  const commands = ['config check', 'check', 'replicate'].map(
    (name) => `"sluice ${name}${config}"`,
  );
  return `Edit it, then run ${commands.slice(0, -1).join(', ')} and ${commands.at(-1)}`;
}

function render(database: string, urls: readonly string[]): string {
  return `# yaml-language-server: $schema=${SCHEMA_URL}
# All keys: docs/configuration.md. Credentials come from the environment, for example
# AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
dbs:
  - path: ${quote(database)}
    replicas:
${urls.map((url) => `      - url: ${quote(url)}\n`).join('')}\
      # - url: s3://my-bucket/app.db?region=eu-west-1
`;
}

/** A YAML string in which "$" does not start a variable. */
function quote(text: string): string {
  const escaped = text.replaceAll('$', '$$$$');
  return /^[\w/.:?=&@%+-]+$/.test(escaped) && !escaped.endsWith(':')
    ? escaped
    : JSON.stringify(escaped);
}
