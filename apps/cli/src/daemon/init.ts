/**
 * The first process of a container inherits all orphaned processes and must collect their exit
 * codes, or they remain as zombies. Node collects only its own children. So with -exec, as process
 * 1, we replace ourselves with a shell. It runs Sluice again as its child, passes signals on, and
 * collects the exit codes of all processes that it inherits.
 */

import { spawnSync } from 'node:child_process';
import type { Logger } from '@sluice/core/backend';
import type { Environment } from '../shell.ts';

const SHELL = '/bin/sh';
/**
 * `wait` returns early when a signal is passed on, while the child still runs. A shell that has
 * already returned the exit code of a child may return 127 the second time.
 */
const INIT = `
"$@" <&0 &
child=$!
for name in HUP INT QUIT TERM USR1 USR2 ALRM WINCH; do
  (trap : "$name") 2>/dev/null && trap "kill -$name $child" "$name"
done
wait "$child"
code=$?
while kill -0 "$child" 2>/dev/null; do
  wait "$child"
  code=$?
done
wait "$child" 2>/dev/null
second=$?
[ "$second" -eq 127 ] || code=$second
exit "$code"
`;

/**
 * Returns if we are not process 1. As process 1 it does not return, unless there is no shell: then
 * it logs a warning.
 */
export function runUnderInit(environment: Environment, logger: Logger): void {
  if (process.pid !== 1 || process.execve === undefined) return;
  const { execPath, execArgv, argv } = process;
  // A failing execve ends the process, so try the shell first.
  if (spawnSync(SHELL, ['-c', ':']).status !== 0) {
    logger.warn(
      `this is process 1, but there is no ${SHELL} to collect the exit codes of orphaned processes: ` +
        'start the container with an init (docker run --init, or tini)',
    );
    return;
  }
  const program = [execPath, ...execArgv, ...argv.slice(1)];
  process.execve(SHELL, ['sh', '-c', INIT, 'sluice-init', ...program], { ...environment });
}
