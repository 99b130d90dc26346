/**
 * Runs SQLite's own check on a restored file before it gets its name, in a thread: it may be slow.
 */

import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { ReplicationError } from '../error.ts';

export type IntegrityCheck = 'none' | 'quick' | 'full';

/** The request sent to the thread. */
export interface IntegrityRequest {
  readonly file: string;
  readonly pragma: 'quick_check' | 'integrity_check';
}

/**
 * RESTORE_INTEGRITY with SQLite's first complaint. The caller removes the files that SQLite creates
 * beside `file`. An abort takes effect at SQLite's next step.
 */
export async function checkIntegrity(
  file: string,
  check: IntegrityCheck,
  signal: AbortSignal,
): Promise<void> {
  if (check === 'none') return;
  const pragma = check === 'quick' ? 'quick_check' : 'integrity_check';
  const script = new URL(
    `./integrity-worker${extname(fileURLToPath(import.meta.url))}`,
    import.meta.url,
  );
  const worker = new Worker(script, { workerData: { file, pragma } satisfies IntegrityRequest });
  const stop = (): void => void worker.terminate();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', () => resolve('the check did not finish'));
    });
    signal.throwIfAborted();
    if (answer === 'ok') return;
    throw new ReplicationError(
      'RESTORE_INTEGRITY',
      `PRAGMA ${pragma} of the restored database: ${answer}; the restored file was removed`,
    );
  } finally {
    signal.removeEventListener('abort', stop);
    await worker.terminate();
  }
}
