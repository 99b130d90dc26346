/**
 * Ends a process even if one of its threads hangs in a system call, for example in a read from a
 * disk that does not respond. `process.exit` would wait for such a thread forever.
 */

import { accessSync, constants } from 'node:fs';

const SHELL = '/bin/sh';

/** Exits with `code` at once. Listeners of `exit` are not called. */
export function exitNow(code: number): never {
  if (process.execve !== undefined && canExecute(SHELL)) {
    // Replaces this process by another program: the kernel then ends all threads.
    process.execve(SHELL, ['sh', '-c', `exit ${code}`], {});
  }
  process.exit(code);
}

let hanging = 0;

/**
 * Records a worker thread that could not be terminated: Node does not list it as an active
 * resource.
 */
export function noteHangingThread(): void {
  hanging += 1;
}

/** Whether `process.exit` would wait for a thread. */
export function hasHangingThread(): boolean {
  return hanging > 0 || process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'));
}

function canExecute(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
