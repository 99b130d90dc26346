/** SQLite's own check of a restored file, before it gets its name. */

import Database from 'better-sqlite3';
import { messageOf, ReplicationError } from '../error.ts';

export type IntegrityCheck = 'none' | 'quick' | 'full';

/** RESTORE_INTEGRITY with SQLite's first complaint. */
export function checkIntegrity(file: string, check: IntegrityCheck): void {
  if (check === 'none') return;
  const pragma = check === 'quick' ? 'quick_check' : 'integrity_check';
  let answer: unknown;
  try {
    const database = new Database(file, { fileMustExist: true });
    try {
      answer = database.pragma(`${pragma}(1)`, { simple: true });
    } finally {
      database.close();
    }
  } catch (error) {
    answer = messageOf(error);
  }
  if (answer === 'ok') return;
  throw new ReplicationError('RESTORE_INTEGRITY', `PRAGMA ${pragma} of ${file}: ${String(answer)}`);
}
