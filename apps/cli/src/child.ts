/** The child process of -exec. Sluice exits when it exits. */

import { spawn, type StdioOptions } from 'node:child_process';
import { constants } from 'node:os';
import { messageOf, ReplicationError } from '@sluice/core/backend';
import type { Environment } from './shell.ts';
import { splitWords } from './shell-words.ts';

/** No stdin, as in Litestream: a service that waited for input would hang. */
const STDIO: StdioOptions = ['ignore', 'inherit', 'inherit'];
/** Shells add this to the number of the signal that ended a process. */
export const SIGNAL_EXIT_BASE = 128;
/** The command gets this long to end before SIGKILL: the default of container runtimes. */
const END_MS_MAX = 10_000;

export interface RunningChild {
  readonly pid: number;
  /** Exit code; 128 plus the signal's number if a signal ended it. */
  readonly ended: Promise<number>;
  kill(signal: NodeJS.Signals): void;
  /** Sends SIGTERM, and SIGKILL if it does not end in time. Resolves when it has ended. */
  end(): Promise<void>;
}

/**
 * CONFIG_INVALID if the command is empty or cannot be started.
 *
 * The child has its own process group, so a signal to our group reaches it once, through us, not
 * twice. It ends whenever we end, except if SIGKILL ends us: then our supervisor must end it
 * (docs/commands.md).
 */
export async function startChild(command: string, environment: Environment): Promise<RunningChild> {
  const [file, ...args] = checkCommand(command);
  const detached = process.platform !== 'win32'; // on Windows this would open a window
  const child = spawn(file, args, { stdio: STDIO, env: { ...environment }, detached });
  const ended = new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => resolve(exitCode(code, signal)));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.on('error', (error) => {
      const message = `-exec: start ${file}: ${messageOf(error)}; check that it exists, is in PATH, and is executable`;
      reject(new ReplicationError('CONFIG_INVALID', message, { cause: error }));
    });
  });
  const kill = (signal: NodeJS.Signals): void => void child.kill(signal);
  const onExit = (): void => kill('SIGTERM'); // for uncaught exceptions
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

/** Splits the command. CONFIG_INVALID if it is empty, or would need a shell. */
export function checkCommand(command: string): readonly [string, ...string[]] {
  const [file, ...args] = wordsOf(command);
  if (file === undefined) throw new ReplicationError('CONFIG_INVALID', '-exec: no command');
  return [file, ...args];
}

function wordsOf(command: string): readonly string[] {
  try {
    return splitWords(command);
  } catch (error) {
    const message = `-exec: ${messageOf(error)}`;
    throw new ReplicationError('CONFIG_INVALID', message, { cause: error });
  }
}

function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  return SIGNAL_EXIT_BASE + (signal === null ? 0 : constants.signals[signal]);
}
