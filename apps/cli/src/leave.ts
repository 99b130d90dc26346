/**
 * The end of a process of which a thread may hang in the system: in a read of a disk that does not
 * answer, for one. `process.exit` waits for such a thread, without end.
 */

import { accessSync, constants } from 'node:fs';

const SHELL = '/bin/sh';

/** Ends with `code`, at once. Listeners of `exit` are not called. */
export function leaveAtOnce(code: number): never {
  if (process.execve !== undefined && canExecute(SHELL)) {
    // Another program in our place: the system ends all threads for that.
    process.execve(SHELL, ['sh', '-c', `exit ${code}`], {});
  }
  process.exit(code);
}

let hanging = 0;

/** A worker thread could not be ended. Node does not list it among what is under way. */
export function noteHangingThread(): void {
  hanging += 1;
}

/** Whether something that `process.exit` would wait for is under way. */
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
