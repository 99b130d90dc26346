/** Processes that the kill loop starts, and kills. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Kills it, where it still runs, and waits until it is gone. */
export async function kill(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Resolves when it has ended, with its exit code; undefined where a signal ended it. */
export async function ended(child: ChildProcess): Promise<number | undefined> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode ?? undefined;
}
