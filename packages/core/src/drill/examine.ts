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
  | { readonly kind: 'answer'; readonly examination: Examination }
  | { readonly kind: 'failure'; readonly message: string };

/** Rejects with the reason of the signal, or if the process ends without an answer. */
export async function examineRestored(
  request: ExamineRequest,
  signal: AbortSignal,
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
    return await answerOf(child, request);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', kill);
    kill();
    await exited; // it no longer uses the files
  }
}

async function answerOf(child: ChildProcess, request: ExamineRequest): Promise<Examination> {
  return await new Promise((resolve, reject) => {
    child.once('message', (reply: Reply) => {
      if (reply.kind === 'answer') resolve(reply.examination);
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
    child.send(request);
  });
}
