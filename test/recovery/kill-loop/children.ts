/** Helpers for child processes of the kill loop. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Kills the process if it is running, and waits until it has exited. */
export async function kill(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Resolves to the exit code, or to undefined if the process was ended by a signal. */
export async function ended(child: ChildProcess): Promise<number | undefined> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode ?? undefined;
}
