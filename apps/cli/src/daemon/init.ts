/**
 * The first process of a container inherits the orphans of all others, and has to ask for the exit
 * code of each that ends, or it stays a zombie. Node asks for those of its own children only. So
 * with -exec, as process 1, we hand that place to a shell, which runs us again as its child, passes
 * signals on, and asks for the exit codes of whatever it inherits.
 */

import { spawnSync } from 'node:child_process';
import type { Logger } from '@sluice/core/backend';
import type { Environment } from '../shell.ts';

const SHELL = '/bin/sh';
/**
 * `wait` returns early when a signal was passed on: then the child is still there. A shell that has
 * given the exit code of a child once may answer 127 the second time.
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
again=$?
[ "$again" -eq 127 ] || code=$again
exit "$code"
`;

/**
 * Returns where we are not process 1; as process 1 it does not return, but where there is no shell:
 * then the log says what to do.
 */
export function handOverProcessOne(environment: Environment, logger: Logger): void {
  if (process.pid !== 1 || process.execve === undefined) return;
  const { execPath, execArgv, argv } = process;
  // A failing execve ends the process: the shell is tried before.
  if (spawnSync(SHELL, ['-c', ':']).status !== 0) {
    logger.warn(
      `this is process 1, and there is no ${SHELL} that could collect what the command leaves ` +
        'behind: start the container with an init (docker run --init, or tini)',
    );
    return;
  }
  const program = [execPath, ...execArgv, ...argv.slice(1)];
  process.execve(SHELL, ['sh', '-c', INIT, 'sluice-init', ...program], { ...environment });
}
