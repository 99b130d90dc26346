/** sluice replicate: reads the configuration, restores missing databases, and replicates. */

import path from 'node:path';
import { refuseWarmCopy } from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import { usageError, type Arguments } from '../args.ts';
import { checkCommand } from '../child.ts';
import { applyCredentials } from '../config/credentials.ts';
import { failedDirectories } from '../config/directory.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/model.ts';
import { readCommandLine } from '../config/read.ts';
import { runDaemon } from '../daemon/daemon.ts';
import { runUnderInit } from '../daemon/init.ts';
import { withoutServiceManager } from '../daemon/notify.ts';
import type { ConfigFile } from '../drilling/order.ts';
import { createLogger, toLogLevel, type LogLevel } from '../log.ts';
import type { Shell } from '../shell.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  // The child gets our original environment, without the values that we read from files.
  const original = { ...shell.environment };
  const inherited = withoutServiceManager(original);
  const config = await readConfigOf(args, shell);
  const command = args.text('exec') ?? config.exec;
  if (args.has('once') && command !== undefined) {
    throw usageError(args.command, '-once ends by itself and cannot be used with -exec');
  }
  if (args.has('enforce-retention') && !args.has('once')) {
    throw usageError(
      args.command,
      '-enforce-retention needs -once; otherwise it is always enforced',
    );
  }
  if (command !== undefined) checkCommand(command); // before anything starts
  refuseSilentDirectories(config, args.has('once') ? 'once' : 'until-stopped');
  for (const { options, directory } of config.databases) {
    if (directory === undefined) await refuseWarmCopy(options.path); // others were looked at before
  }
  const { stdout, stderr, secrets } = shell;
  // With -json, stdout is reserved for the report.
  const isForStderr = config.log.to === 'stderr' || args.has('json');
  const logger = createLogger({
    level: levelOf(args, config),
    type: config.log.type,
    stream: isForStderr ? stderr : stdout,
    fallback: isForStderr ? undefined : stderr,
    secrets,
  });
  if (command !== undefined) runUnderInit(original, logger);
  return await runDaemon({
    config,
    mode: args.has('once') ? 'once' : 'until-stopped',
    retention: args.has('enforce-retention') ? 'enforce' : undefined,
    command,
    foreign: args.has('take-over') ? 'take over' : 'refuse',
    held: args.has('no-wait') ? 'refuse' : 'wait',
    restoreMissing: args.has('restore-if-db-not-exists') ? 'all' : 'as-configured',
    report: args.has('json') ? 'json' : 'log',
    configFile: args.positionals.length > 0 ? undefined : configFileOf(config, args),
    environment: inherited,
    shell,
    logger,
  });
}

/** CONFIG_INVALID if nothing of a directory can be replicated now, and it is not looked at again. */
function refuseSilentDirectories(config: Config, mode: 'once' | 'until-stopped'): void {
  const { directories, unmatched = [] } = config;
  const silent = failedDirectories(config).find(({ dir }) => {
    return mode === 'once' || directories.some((each) => each.dir === dir && !each.watch);
  });
  if (silent === undefined) return;
  const create = mode === 'once' ? '; create it' : '; create it, or write watch: true';
  const next = unmatched.includes(silent) ? '' : create;
  throw new ReplicationError(
    'CONFIG_INVALID',
    `search ${silent.dir} for databases: ${silent.why}${next}`,
  );
}

async function readConfigOf(args: Arguments, shell: Shell): Promise<Config> {
  const [database, ...urls] = args.positionals;
  if (database === undefined) return await loadConfig(args, shell);
  if (args.positionals.includes('')) {
    throw usageError(args.command, 'a database or URL is empty: is a variable unset?');
  }
  if (args.text('config') !== undefined) {
    throw usageError(args.command, 'use either a database and its URLs, or -config');
  }
  if (urls.length === 0) {
    throw usageError(args.command, `no destination: write "sluice replicate ${database} URL"`);
  }
  applyCredentials(shell);
  const { environment, secrets } = shell;
  return await readCommandLine(database, urls, { environment, secrets });
}

/** Absolute, because a later reader may have another working directory. */
function configFileOf({ source }: Config, args: Arguments): ConfigFile {
  const variables = args.has('no-expand-env') ? 'leave' : 'expand';
  return { file: path.resolve(source), variables };
}

function levelOf(args: Arguments, config: Config): LogLevel {
  const written = args.text('log-level');
  if (written === undefined) return config.log.level;
  const level = toLogLevel(written);
  if (level !== undefined) return level;
  throw usageError(
    args.command,
    `-log-level is trace, debug, info, warn or error, not "${written}"`,
  );
}
