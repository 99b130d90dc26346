/** The application that runs beside the replication (-exec): it ends, we end. */

import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { ReplicationError } from '@sluice/core/backend';
import { parseArgsStringToArgv } from 'string-argv';

const SIGNAL_EXIT_BASE = 128;

export interface RunningChild {
  /** Its exit code; 128 and the signal's number where it was killed. */
  readonly ended: Promise<number>;
  kill(signal: NodeJS.Signals): void;
}

/** CONFIG_INVALID where the command is empty or cannot be started. */
export async function startChild(command: string): Promise<RunningChild> {
  const [file, ...args] = parseArgsStringToArgv(command);
  if (file === undefined)
    throw new ReplicationError('CONFIG_INVALID', '-exec: the command is empty');
  const child: ChildProcess = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) =>
      reject(
        new ReplicationError('CONFIG_INVALID', `-exec ${file}: ${error.message}`, { cause: error }),
      ),
    );
  });
  const ended = new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(code ?? SIGNAL_EXIT_BASE + (signal === null ? 0 : constants.signals[signal]));
    });
  });
  return { ended, kill: (signal) => void child.kill(signal) };
}
