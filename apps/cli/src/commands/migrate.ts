/** sluice migrate: writes sluice.yml from a configuration of Litestream, and first checks the old backups. */

import fs from 'node:fs';
import path from 'node:path';
import { messageOf } from '@sluice/core';
import { isError, ReplicationError } from '@sluice/core/backend';
import { sameConfig } from '@sluice/core/config';
import { usageError, type Arguments } from '../args.ts';
import { applyCredentials } from '../config/credentials.ts';
import type { Config } from '../config/model.ts';
import { readConfig, type ReadOptions } from '../config/read.ts';
import { SCHEMA_URL } from '../config/schema-url.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { interruptible } from '../interrupt.ts';
import { createLogger } from '../log.ts';
import { migrateText, type Migrated } from '../migrating/migrate-text.ts';
import { headOf, printDestinations, printKeys, toJSON } from '../migrating/report.ts';
import { withFound } from '../config/scan.ts';
import { checkDestinations, type CheckedDestination } from '../migrating/survey.ts';
import { readTextFile } from '../read-file.ts';
import { printJSON, type Shell } from '../shell.ts';
import { writeTextFile } from '../write-file.ts';

const LITESTREAM_FILE = 'litestream.yml';
/** Only its owner may look for secrets there. */
const SECRETS_FOLDER_MODE = 0o700;

interface Job {
  readonly args: Arguments;
  readonly shell: Shell;
  readonly source: string;
  readonly output: string;
  readonly migrated: Migrated;
  readonly text: string;
  readonly checked: readonly CheckedDestination[];
}

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const source = findSource(args, shell);
  const output = args.text('o') ?? 'sluice.yml';
  checkFlags(args, source, output);
  if (!args.has('dry-run') && !args.has('force')) refuseExisting(output);
  applyCredentials(shell);
  const options = optionsFor(source, args, shell);
  const written = readSource(source);
  const config = await readConfig(written, options);
  const migrated = await migrateText(written, config, options, secretsFolderOf(output));
  await verify(migrated.verifiable, config, options);
  const text = headOf(source, SCHEMA_URL, migrated.rows) + migrated.text;
  if (!args.has('json')) printKeys(migrated.rows, shell);
  const checked = args.has('no-check') ? [] : await check(config, args, shell);
  const job = { args, shell, source, output, migrated, text, checked };
  if (!args.has('json') && checked.length > 0) {
    shell.stdout.write('\n');
    printDestinations(checked, shell);
  }
  const failure = failureOf(checked, output);
  if (failure === undefined && !args.has('dry-run')) write(job);
  report(job, failure === undefined);
  if (failure !== undefined) throw failure;
  return EXIT_CODES.ok;
}

function findSource(args: Arguments, shell: Shell): string {
  const [given] = args.positionals;
  if (given !== undefined) {
    throw usageError(args.command, `write "sluice migrate -config ${given}"`);
  }
  const { LITESTREAM_CONFIG: named } = shell.environment;
  const places = [
    `./${LITESTREAM_FILE}`,
    ...shell.configPaths.filter((place) => place.endsWith(LITESTREAM_FILE)),
  ];
  const found =
    args.text('config') ?? (named || undefined) ?? places.find((place) => fs.existsSync(place));
  if (found !== undefined) return found;
  const message = `no configuration of Litestream found at ${places.join(', ')}; give its path with -config`;
  throw usageError(args.command, message);
}

function checkFlags(args: Arguments, source: string, output: string): void {
  if (args.has('no-check') && args.has('restore-check')) {
    throw usageError(args.command, '-no-check and -restore-check cannot be used together');
  }
  if (path.resolve(source) === path.resolve(output)) {
    throw usageError(args.command, `${output} is the file to read; choose another one with -o`);
  }
}

function refuseExisting(file: string): void {
  if (fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined) throw existsError(file);
}

function existsError(file: string): ReplicationError {
  const message = `write ${file}: it exists already; choose another file (-o), or replace it (-force)`;
  return new ReplicationError('RESTORE_TARGET_EXISTS', message);
}

function readSource(file: string): string {
  try {
    return readTextFile(file);
  } catch (error) {
    const message = `read ${file}: ${messageOf(error)}; check the path (-config) and its permissions`;
    throw new ReplicationError('CONFIG_INVALID', message, { cause: error });
  }
}

function optionsFor(source: string, args: Arguments, shell: Shell): ReadOptions {
  return {
    source,
    folder: path.dirname(path.resolve(source)),
    environment: shell.environment,
    variables: args.has('no-expand-env') ? 'leave' : 'expand',
    secrets: shell.secrets,
  };
}

/** /etc/sluice.yml has its secrets in /etc/sluice-secrets. */
function secretsFolderOf(output: string): string {
  const { dir, name } = path.parse(path.resolve(output));
  return path.join(dir, `${name}-secrets`);
}

/** The new text must lead to the same destinations. Anything else is a bug. */
async function verify(text: string, before: Config, options: ReadOptions): Promise<void> {
  const after = await readConfig(text, { ...options, variables: 'expand' });
  const isSame =
    before.items.length === after.items.length &&
    before.items.every(({ options: { path: file }, destinations }, index) => {
      const other = after.items[index];
      return (
        file === other?.options.path &&
        destinations.length === other.destinations.length &&
        destinations.every((destination, position) => {
          const same = other.destinations[position];
          return (
            destination.backend === same?.backend &&
            destination.path === same.path &&
            sameConfig(destination.config, same.config)
          );
        })
      );
    });
  if (!isSame) throw new Error('the new configuration would lead to other destinations');
}

async function check(
  config: Config,
  args: Arguments,
  { stderr, secrets }: Shell,
): Promise<CheckedDestination[]> {
  const logger = createLogger({ level: 'warn', type: 'text', stream: stderr, secrets });
  const depth = args.has('restore-check') ? 'restore' : 'plan';
  return await interruptible(
    async (signal) => await checkDestinations(await withFound(config), { depth, logger, signal }),
  );
}

/** Has the code of the first destination that failed. */
function failureOf(
  checked: readonly CheckedDestination[],
  output: string,
): ReplicationError | undefined {
  const failures = checked.flatMap(({ destination, result }) =>
    result.kind === 'failed' ? [{ destination, error: result.error }] : [],
  );
  const [first] = failures;
  if (first === undefined) return undefined;
  const lines = failures.map(
    ({ destination, error }) => `  ${destination.name}: ${messageOf(error)}`,
  );
  const message =
    `${output} is not written, because ${failures.length} of ${checked.length} destinations failed the check:\n` +
    `${lines.join('\n')}\nCorrect this, or write the file without a check (-no-check)`;
  const code = isError(first.error) ? first.error.code : 'REPLICA_UNKNOWN';
  return new ReplicationError(code, message, { cause: first.error });
}

/** Writes the secrets first, because the configuration names their files. Leaves nothing if a file exists. */
function write({ args, output, migrated, text }: Job): void {
  const ifExists = args.has('force') ? 'replace' : 'refuse';
  const files = migrated.secretFiles.map(({ file, value }) => ({ file, text: `${value}\n` }));
  const written: string[] = [];
  try {
    if (files.length > 0) {
      fs.mkdirSync(secretsFolderOf(output), { recursive: true, mode: SECRETS_FOLDER_MODE });
    }
    for (const { file, text: content } of [...files, { file: output, text }]) {
      writeTextFile(file, content, ifExists);
      written.push(file);
    }
  } catch (error) {
    if (ifExists === 'refuse') for (const file of written) fs.rmSync(file);
    const { code, path: file = output } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw existsError(file);
    throw usageError(
      args.command,
      `write ${file}: ${messageOf(error)}; choose another file with -o`,
    );
  }
}

function report(
  { args, shell, source, output, migrated, text, checked }: Job,
  isGood: boolean,
): void {
  const isWritten = isGood && !args.has('dry-run');
  if (args.has('json')) {
    printJSON(shell, {
      source: path.resolve(source),
      file: path.resolve(output),
      written: isWritten,
      ...toJSON(migrated.rows, checked, migrated.secretFiles, shell),
      ...(args.has('dry-run') ? { text } : {}),
    });
  } else if (isWritten) {
    const config = output === 'sluice.yml' ? '' : ` -config ${output}`;
    shell.stdout.write(
      `\n${output} was written. Run "sluice config check${config}" and "sluice check${config}". Then stop Litestream, ` +
        `and run "sluice replicate${config}"\n`,
    );
  } else if (args.has('dry-run')) shell.stdout.write(`\n${text}`);
}
