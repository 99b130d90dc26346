/** The process of work that the replicator has ordered (run-task.ts): it does it, answers, and ends with the replicator. */

import { isError, messageOf, ReplicationError, type Logger } from '@sluice/core/backend';
import { readConfigFile } from '../config/load.ts';
import type { Config } from '../config/model.ts';
import type { ConfigFile } from '../drilling/order.ts';
import { END_SIGNALS } from '../interrupt.ts';
import { Secrets } from '../secrets.ts';
import type { Shell } from '../shell.ts';
import { limitYoungGeneration } from '../young-generation.ts';
import type { TaskReply } from './run-task.ts';

export interface Task<Progress> {
  readonly secrets: Secrets;
  /** The replicator has the log. */
  readonly logger: Logger;
  /** At most one every PROGRESS_MS is sent. */
  readonly report: (progress: Progress) => void;
}

const PROGRESS_MS = 500;

type Work<Answer, Progress> = (order: unknown, task: Task<Progress>) => Promise<Answer>;

/** Does one piece of work, and answers. The order is that of `runTask`. */
export function serveTask<Answer, Progress = never>(work: Work<Answer, Progress>): void {
  limitYoungGeneration();
  // A terminal signals the whole process group. The replicator itself ends this process.
  for (const signal of [...END_SIGNALS, 'SIGUSR1'] as const) process.on(signal, () => undefined);
  process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  process.once('message', (order) => void answer(order, work));
}

async function answer<Answer, Progress>(
  order: unknown,
  work: Work<Answer, Progress>,
): Promise<void> {
  const secrets = new Secrets();
  const reply = (message: TaskReply<Answer, Progress>): void => void process.send?.(message);
  const warn = (message: string): void => {
    reply({ kind: 'warning', message: secrets.clean(message) });
  };
  const logger = { debug: () => undefined, info: () => undefined, warn, error: warn };
  let sentAt = -Infinity;
  const report = (progress: Progress): void => {
    if (performance.now() - sentAt < PROGRESS_MS) return;
    sentAt = performance.now();
    reply({ kind: 'progress', progress });
  };
  try {
    reply({ kind: 'done', answer: await work(order, { secrets, logger, report }) });
  } catch (error) {
    const code = isError(error) ? error.code : undefined;
    reply({ kind: 'failure', message: secrets.clean(messageOf(error)), code });
  }
}

/** The configuration as it is now. The secrets in it are added to `secrets`. */
export async function readConfigAgain(config: ConfigFile, secrets: Secrets): Promise<Config> {
  const { env: environment, stdout, stderr } = process;
  const shell: Shell = { environment, stdout, stderr, secrets, configPaths: [] };
  return await readConfigFile(config, shell);
}

/** The file has changed since the replicator read it: it lacks something that `what` needs. */
export function changedError({ file }: ConfigFile, what: string, lacks: string): ReplicationError {
  return new ReplicationError(
    'CONFIG_INVALID',
    `${what}: ${file} has changed and no longer has ${lacks}: run "sluice reload"`,
  );
}
