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

export interface RunningChild {
  /** Its exit code; where a signal ended it, 128 and the signal's number. */
  readonly ended: Promise<number>;
  kill(signal: NodeJS.Signals): void;
}

/** CONFIG_INVALID where the command is empty or cannot be started. */
export async function startChild(command: string, environment: Environment): Promise<RunningChild> {
  const [file, ...args] = splitWords(command);
  if (file === undefined) throw new ReplicationError('CONFIG_INVALID', '-exec: no command');
  const child = spawn(file, args, { stdio: STDIO, env: { ...environment } });
  const ended = new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => resolve(exitCode(code, signal)));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => {
      const message = `-exec: start ${file}: ${messageOf(error)}`;
      reject(new ReplicationError('CONFIG_INVALID', message, { cause: error }));
    });
  });
  return { ended, kill: (signal) => void child.kill(signal) };
}

function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  return SIGNAL_EXIT_BASE + (signal === null ? 0 : constants.signals[signal]);
}
