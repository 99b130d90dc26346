/**
 * Examines a restored database in a process of its own, for three reasons. A statement of SQLite cannot
 * be interrupted, but a process can be killed. Closing a descriptor of the live database drops the locks
 * that its process has on it (hazards E-1). And a damaged database should not take a replicator with it.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { IntegrityCheck } from '../restore/integrity.ts';
import { threadScript } from '../threads/thread.ts';
import type { Checks } from './checks.ts';
import type { RestoredFile } from './compare.ts';
import type { LiveRequest, LiveState } from './live.ts';

export interface LiveDatabase {
  readonly path: string;
  readonly metaPath: string;
}

export interface ExamineRequest {
  readonly restored: RestoredFile;
  readonly integrityCheck: IntegrityCheck;
  readonly assertions: readonly string[];
  /** With the positions that were read earlier. */
  readonly live: Omit<LiveRequest, 'restored'> | undefined;
}

export interface Examination extends Checks {
  readonly live: LiveState | undefined;
}

export type Reply =
  /** Name of the check that begins. */
  | { readonly kind: 'step'; readonly step: string }
  | { readonly kind: 'answer'; readonly examination: Examination }
  | { readonly kind: 'failure'; readonly message: string };

export interface ExamineOptions {
  /** The process is killed after this time. undefined: never. */
  readonly limitMs: number | undefined;
  readonly signal: AbortSignal;
}

/** Rejects with the reason of the signal, after `limitMs`, or if the process ends without an answer. */
export async function examineRestored(
  request: ExamineRequest,
  { limitMs, signal }: ExamineOptions,
): Promise<Examination> {
  signal.throwIfAborted();
  const child = fork(fileURLToPath(threadScript(import.meta.url, 'drill-worker')), {
    serialization: 'advanced', // TXIDs are bigint
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  try {
    return await answerOf(child, request, limitMs);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', kill);
    kill();
    await exited; // it no longer uses the files
  }
}

async function answerOf(
  child: ChildProcess,
  request: ExamineRequest,
  limitMs: number | undefined,
): Promise<Examination> {
  let timer: NodeJS.Timeout | undefined;
  let step = 'its process';
  const answer = new Promise<Examination>((resolve, reject) => {
    child.on('message', (reply: Reply) => {
      if (reply.kind === 'step') step = reply.step;
      else if (reply.kind === 'answer') resolve(reply.examination);
      else reject(new Error(`examine the restored database: ${reply.message}`));
    });
    child.once('error', reject);
    child.once('exit', (code, by) =>
      reject(
        new Error(
          `examine the restored database: the process for it ended early (${by ?? `code ${code}`}); ` +
            'the database may be damaged: restore it with sluice restore, and check it by hand',
        ),
      ),
    );
    if (limitMs !== undefined) {
      timer = setTimeout(() => reject(lateError(step, limitMs)), limitMs);
    }
    child.send(request);
  });
  return await answer.finally(() => clearTimeout(timer));
}

/** Without a code: it says nothing about the destination. */
function lateError(step: string, limitMs: number): Error {
  return new Error(
    `examine the restored database: ${step} had not ended when the time for all checks, ${Math.ceil(limitMs / 1_000)} s, ` +
      'was over: make it faster, or leave it to "sluice drill", which has no limit',
  );
}
