/**
 * Runs work of the replicator in a process of its own (serve-task.ts), with a low priority: its reads, its memory and
 * a crash do not touch replication.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import os from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ReplicationError, type ErrorCode } from '@sluice/core/backend';
import type { Environment } from '../shell.ts';

/** What the process answers. All is plain JSON. */
export type TaskReply<Answer, Progress = never> =
  | { readonly kind: 'done'; readonly answer: Answer }
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'progress'; readonly progress: Progress }
  /** The work was not done. */
  | { readonly kind: 'failure'; readonly message: string; readonly code?: string | undefined };

export interface TaskOptions<Progress> {
  /** URL of the script, without its extension. */
  readonly script: URL;
  /** Of the work, for messages: "drill near". */
  readonly name: string;
  /** The command that shows why it ended early. */
  readonly command: string;
  /** Environment of the process, as the replicator got it. */
  readonly environment: Environment;
  readonly onWarning: (message: string) => void;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly signal: AbortSignal;
}

/** As `nice`: below the replicator and the application. */
const PRIORITY = 10;

/** Rejects with the reason of the signal, or if the work was not done. `order` is plain JSON, without credentials. */
export async function runTask<Answer, Progress = never>(
  order: object,
  options: TaskOptions<Progress>,
): Promise<Answer> {
  const { environment, script, signal } = options;
  signal.throwIfAborted();
  const own = extname(fileURLToPath(import.meta.url));
  const child = fork(`${fileURLToPath(script)}${own}`, {
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
    return await answerOf<Answer, Progress>(child, order, options);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', kill);
    kill();
    if (child.pid !== undefined) await exited; // it no longer uses its folder, and writes nothing
  }
}

async function answerOf<Answer, Progress>(
  child: ChildProcess,
  order: object,
  { name, command, onWarning, onProgress }: TaskOptions<Progress>,
): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    child.on('message', (reply: TaskReply<Answer, Progress>) => {
      if (reply.kind === 'done') resolve(reply.answer);
      else if (reply.kind === 'warning') onWarning(reply.message);
      else if (reply.kind === 'progress') onProgress?.(reply.progress);
      else reject(toError(reply));
    });
    child.once('error', reject);
    child.once('exit', (code, by) => {
      const how = by ?? `code ${code}`;
      const next = `run "${command}" to see why; if it was killed, it may need more memory`;
      reject(new Error(`${name}: the process for it ended early (${how}); ${next}`));
    });
    child.send(order);
  });
}

function toError({ message, code }: { message: string; code?: string | undefined }): Error {
  return code === undefined ? new Error(message) : new ReplicationError(code as ErrorCode, message);
}

function setPriority(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) os.setPriority(child.pid, PRIORITY);
  } catch {
    // It has ended, or this system has no priorities.
  }
}
