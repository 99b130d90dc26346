/** The application that runs beside the replication (-exec): it ends, we end. */

import { spawn, type StdioOptions } from 'node:child_process';
import { constants } from 'node:os';
import { messageOf, ReplicationError } from '@sluice/core/backend';
import type { Environment } from './shell.ts';
import { splitWords } from './shell-words.ts';

/** Nothing to read, as under Litestream: a service that waits for input would hang. */
const STDIO: StdioOptions = ['ignore', 'inherit', 'inherit'];
/** What shells add to the number of the signal that ended a process. */
export const SIGNAL_EXIT_BASE = 128;
/** So long a command may take to end where we must end: as container runtimes wait by default. */
const END_MS_MAX = 10_000;

export interface RunningChild {
  readonly pid: number;
  /** Its exit code; where a signal ended it, 128 and the signal's number. */
  readonly ended: Promise<number>;
  kill(signal: NodeJS.Signals): void;
  /** Asks it to end, and kills it where it does not. Resolves when it has ended. */
  end(): Promise<void>;
}

/**
 * CONFIG_INVALID where the command is empty or cannot be started.
 *
 * It is in a process group of its own: a signal that somebody sends to our whole group reaches it
 * once, from us, and not a second time past us. It does not survive us, however we end, unless we
 * are killed by SIGKILL: then whoever started us has to end it (docs/commands.md).
 */
export async function startChild(command: string, environment: Environment): Promise<RunningChild> {
  const [file, ...args] = checkCommand(command);
  const detached = process.platform !== 'win32'; // there it would open a window
  const child = spawn(file, args, { stdio: STDIO, env: { ...environment }, detached });
  const ended = new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => resolve(exitCode(code, signal)));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.on('error', (error) => {
      const message = `-exec: start ${file}: ${messageOf(error)}; check that it is there, in PATH, and executable`;
      reject(new ReplicationError('CONFIG_INVALID', message, { cause: error }));
    });
  });
  const kill = (signal: NodeJS.Signals): void => void child.kill(signal);
  const onExit = (): void => kill('SIGTERM'); // an exception that nobody caught
  process.on('exit', onExit);
  void ended.then(() => process.off('exit', onExit));
  const end = async (): Promise<void> => {
    kill('SIGTERM');
    const timer = setTimeout(() => kill('SIGKILL'), END_MS_MAX);
    await ended;
    clearTimeout(timer);
  };
  return { pid: child.pid ?? 0, ended, kill, end };
}

/** Its words. CONFIG_INVALID where there are none, or a shell would be needed. */
export function checkCommand(command: string): readonly [string, ...string[]] {
  const [file, ...args] = splitWords(command);
  if (file === undefined) throw new ReplicationError('CONFIG_INVALID', '-exec: no command');
  return [file, ...args];
}

function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  return SIGNAL_EXIT_BASE + (signal === null ? 0 : constants.signals[signal]);
}
