/**
 * Runs SQLite's own check on a restored file before it gets its name, in a thread: it may be slow.
 */

import { messageOf, ReplicationError } from '../error.ts';
import { Thread, threadScript } from '../threads/thread.ts';

export type IntegrityCheck = 'none' | 'quick' | 'full';

export interface IntegrityService {
  readonly check: {
    readonly request: {
      readonly file: string;
      readonly pragma: 'quick_check' | 'integrity_check';
    };
    /** "ok", or SQLite's first complaint. */
    readonly answer: string;
  };
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
  const thread = new Thread<IntegrityService>(threadScript(import.meta.url, 'integrity-worker'));
  const stop = (): void => void thread.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const answer = await checkIn(thread, { file, pragma });
    signal.throwIfAborted();
    if (answer === 'ok') return;
    throw new ReplicationError(
      'RESTORE_INTEGRITY',
      `PRAGMA ${pragma} of the restored database: ${answer}; the restored file was removed`,
    );
  } finally {
    signal.removeEventListener('abort', stop);
    await thread.close();
  }
}

/** A check that ends early proves nothing. */
async function checkIn(
  thread: Thread<IntegrityService>,
  request: IntegrityService['check']['request'],
): Promise<string> {
  try {
    return await thread.call('check', request);
  } catch (error) {
    return `the check did not finish: ${messageOf(error)}`;
  }
}
