/**
 * Runs one drill of the schedule in a process of its own (drill-worker.ts), with a low priority: its reads,
 * its memory and a crash do not touch replication.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import os from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ReplicationError, type ErrorCode } from '@sluice/core/backend';
import type { Environment } from '../shell.ts';
import type { DrillAnswer, DrillOrder, DrillReply } from './order.ts';

export interface RunOptions {
  /** Environment of the process, as the replicator got it. */
  readonly environment: Environment;
  readonly onWarning: (message: string) => void;
  readonly signal: AbortSignal;
}

/** As `nice`: below the replicator and the application. */
const PRIORITY = 10;

/** Rejects with the reason of the signal, or if the drill did not take place. */
export async function runDrill(order: DrillOrder, options: RunOptions): Promise<DrillAnswer> {
  const { environment, signal } = options;
  signal.throwIfAborted();
  const script = new URL(
    `./drill-worker${extname(fileURLToPath(import.meta.url))}`,
    import.meta.url,
  );
  const child = fork(fileURLToPath(script), {
    env: { ...environment },
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  exited.catch(() => undefined); // `answerOf` reports that it cannot be started
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  try {
    setPriority(child);
    return await answerOf(child, order, options);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', kill);
    kill();
    if (child.pid !== undefined) await exited; // it no longer uses the folder
  }
}

async function answerOf(
  child: ChildProcess,
  order: DrillOrder,
  { onWarning }: RunOptions,
): Promise<DrillAnswer> {
  return await new Promise((resolve, reject) => {
    child.on('message', (reply: DrillReply) => {
      if (reply.kind === 'done') resolve(reply);
      else if (reply.kind === 'warning') onWarning(reply.message);
      else reject(toError(reply));
    });
    child.once('error', reject);
    child.once('exit', (code, by) => {
      const how = by ?? `code ${code}`;
      const next = 'run "sluice drill" to see why; if it was killed, it may need more memory';
      reject(new Error(`drill ${order.name}: the process for it ended early (${how}); ${next}`));
    });
    child.send(order);
  });
}

function toError({ message, code }: DrillReply & { kind: 'failure' }): Error {
  return code === undefined ? new Error(message) : new ReplicationError(code as ErrorCode, message);
}

function setPriority(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) os.setPriority(child.pid, PRIORITY);
  } catch {
    // It has ended, or this system has no priorities.
  }
}
