/** Error codes for errors of the operating system. */

import { messageOf, ReplicationError, type ErrorCode } from '@sluice/core/backend';

/** Converts an error of `node:fs`. `what` is the operation: "write … to file:///b". */
export function toReplicationError(error: unknown, what: string): ReplicationError {
  const { code, hint } = classify(systemCode(error));
  const message = `${what}: ${withoutPath(messageOf(error), what)}${hint === undefined ? '' : `; ${hint}`}`;
  return new ReplicationError(code, message, { cause: error });
}

/** Node quotes the path at the end: "…, open '/b/x'". It is left out if `what` names it, or the file that it becomes. */
function withoutPath(message: string, what: string): string {
  const [quoted = '', path = ''] = / '([^']*)'$/.exec(message) ?? [];
  const file = path.replace(/\.[^./]+\.sluice-tmp$/, '');
  return file !== '' && what.includes(file) ? message.slice(0, -quoted.length) : message;
}

/** "ENOENT" and the like; undefined if it is not a system error. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

export function isMissing(error: unknown): boolean {
  return systemCode(error) === 'ENOENT';
}

export async function unlessMissing<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function classify(code: string | undefined): { code: ErrorCode; hint?: string } {
  switch (code) {
    case 'ENOENT':
      return { code: 'REPLICA_NOT_FOUND' };
    case 'ENOTDIR':
    case 'ELOOP':
      return {
        code: 'REPLICA_DESTINATION_NOT_FOUND',
        hint: 'a part of the path is not a folder: correct the path',
      };
    case 'ENAMETOOLONG':
      return { code: 'REPLICA_UNSUPPORTED', hint: 'choose a shorter path' };
    case 'EACCES':
    case 'EPERM':
      return { code: 'REPLICA_PERMISSION_DENIED', hint: 'check who owns the folder' };
    case 'EROFS':
      return { code: 'REPLICA_PERMISSION_DENIED', hint: 'it is mounted read-only' };
    case 'ENOSPC':
    case 'EDQUOT':
      return { code: 'REPLICA_FULL', hint: 'make room there' };
    case 'EFBIG':
      return { code: 'REPLICA_UNSUPPORTED', hint: 'the file is too large for this file system' };
    case 'EMFILE':
    case 'ENFILE':
      return { code: 'REPLICA_UNAVAILABLE', hint: 'raise the limit of open files' };
    case 'EIO':
      return { code: 'REPLICA_UNKNOWN', hint: 'check the disk' };
    // A network file system that cannot be reached at the moment.
    case 'ESTALE':
    case 'ETIMEDOUT':
    case 'EHOSTDOWN':
    case 'EHOSTUNREACH':
    case 'ENOTCONN':
    case 'EBUSY':
    case 'EAGAIN':
      return { code: 'REPLICA_UNAVAILABLE' };
    case undefined:
    default:
      return { code: 'REPLICA_UNKNOWN' };
  }
}
