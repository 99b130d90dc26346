/**
 * sluice diagnose: a bundle for a report of a problem: versions, machine, configuration, files, status. It contains no
 * secrets and no data of a database.
 */

import path from 'node:path';
import { messageOf } from '@sluice/core';
import { usageError, type Arguments } from '../args.ts';
import { findConfigFile, loadConfig } from '../config/load.ts';
import type { Config } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { describeFiles, describeMachine, lastLines, variablesOf } from '../diagnosing/gather.ts';
import { redactConfiguration } from '../diagnosing/redact.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { interruptible } from '../interrupt.ts';
import { createLogger } from '../log.ts';
import { readTextFile } from '../read-file.ts';
import type { Secrets } from '../secrets.ts';
import type { Shell } from '../shell.ts';
import { describeStatus } from '../status/rows.ts';
import { readDetails } from '../version.ts';
import { writeTextFile } from '../write-file.ts';

/** Their values are removed wherever they occur. */
const SECRET_VARIABLE = /KEY|SECRET|TOKEN|PASS|CREDENTIAL|IDENTITY/i;

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const { environment, secrets } = shell;
  for (const [name, value] of Object.entries(environment)) {
    if (SECRET_VARIABLE.test(name) && value !== undefined) secrets.add(value);
  }
  const log = args.text('log');
  const loaded = await load(args, shell);
  const bundle = {
    at: new Date().toISOString(),
    versions: await readDetails(),
    machine: describeMachine(),
    variables: variablesOf(environment),
    configuration: { ...loaded.shown, error: loaded.error },
    databases: await describeDatabases(loaded.config, shell),
    log: log === undefined ? undefined : await lastLines(log),
  };
  const text = `${JSON.stringify(bundle, cleaner(secrets), 2)}\n`;
  const file = args.text('o');
  if (file === undefined) shell.stdout.write(text);
  else {
    try {
      writeTextFile(file, text, 'refuse');
    } catch (error) {
      throw usageError(args.command, `write ${file}: ${messageOf(error)}`);
    }
    shell.stdout.write(`${file} was written. Read it before you send it to anybody\n`);
  }
  return EXIT_CODES.ok;
}

interface Loaded {
  readonly config: Config | undefined;
  readonly shown: object;
  readonly error: string | undefined;
}

/** An invalid configuration is part of the bundle. */
async function load(args: Arguments, shell: Shell): Promise<Loaded> {
  let shown: object = {};
  try {
    const file = findConfigFile(args, shell);
    shown = { file: path.resolve(file), content: await redactConfiguration(readTextFile(file)) };
    return { config: await loadConfig(args, shell), shown, error: undefined };
  } catch (error) {
    return { config: undefined, shown, error: messageOf(error) };
  }
}

async function describeDatabases(config: Config | undefined, shell: Shell): Promise<unknown> {
  if (config === undefined) return undefined;
  const { stderr: stream, secrets } = shell;
  const logger = createLogger({ level: 'error', type: 'text', stream, secrets });
  await using connections = new Destinations(logger, 'read');
  return await interruptible(async (signal) => {
    const rows = await describeStatus(config.databases, connections, signal);
    return await Promise.all(
      config.databases.map(async (database, index) => ({
        ...(await describeFiles(database)),
        status: rows[index],
      })),
    );
  });
}

/** For JSON.stringify: no string contains a secret. */
function cleaner(secrets: Secrets): (key: string, value: unknown) => unknown {
  return (_, value) => (typeof value === 'string' ? secrets.clean(value) : value);
}
