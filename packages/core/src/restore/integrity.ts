/**
 * Runs SQLite's own check on a restored file before it gets its name, in a thread: it may be slow.
 */

import { messageOf, ReplicationError } from '../error.ts';
import { Thread, threadScript } from '../threads/thread.ts';

export type IntegrityCheck = 'none' | 'quick' | 'full';

/** `checked`: "ok", or SQLite's first complaint. `unchecked`: what prevented the check. */
export interface IntegrityAnswer {
  readonly kind: 'checked' | 'unchecked';
  readonly text: string;
}

export interface IntegrityService {
  readonly check: {
    readonly request: {
      readonly file: string;
      readonly pragma: 'quick_check' | 'integrity_check';
    };
    readonly answer: IntegrityAnswer;
  };
}

/**
 * RESTORE_INTEGRITY with SQLite's first complaint; RESTORE_OUTPUT if SQLite could not check the file. The caller removes the files that SQLite creates
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
    const { kind, text } = await checkIn(thread, { file, pragma });
    signal.throwIfAborted();
    if (kind === 'checked' && text === 'ok') return;
    const message = `PRAGMA ${pragma} of the restored database: ${text}; the restored file was removed`;
    if (kind === 'checked') throw new ReplicationError('RESTORE_INTEGRITY', message);
    throw new ReplicationError(
      'RESTORE_OUTPUT',
      `${message}, because it could not be checked; free some space, check the disk of the output, or choose ` +
        'another path (-o)',
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
): Promise<IntegrityAnswer> {
  try {
    return await thread.call('check', request);
  } catch (error) {
    return { kind: 'unchecked', text: `the check did not finish: ${messageOf(error)}` };
  }
}
