/** What the operating system says, in our codes. */

import { messageOf, ReplicationError, type ErrorCode } from '@sluice/core/backend';

/** Gives an error of `node:fs` a code. `what` says what was done, to what: "write … to file:///b". */
export function toReplicationError(error: unknown, what: string): ReplicationError {
  const { code, hint } = classify(systemCode(error));
  const said = messageOf(error);
  const message = `${what}: ${said}${hint === undefined ? '' : `; ${hint}`}`;
  return new ReplicationError(code, message, { cause: error });
}

/** "ENOENT" and the like; undefined for what is no system error. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

export function isMissing(error: unknown): boolean {
  return systemCode(error) === 'ENOENT';
}

function classify(code: string | undefined): { code: ErrorCode; hint?: string } {
  switch (code) {
    case 'ENOENT':
      return { code: 'REPLICA_NOT_FOUND' };
    case 'ENOTDIR':
    case 'ELOOP':
      return {
        code: 'REPLICA_DESTINATION_NOT_FOUND',
        hint: 'it, or what should be a folder on the way to it, is no folder: correct the path',
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
      return { code: 'REPLICA_UNSUPPORTED', hint: 'the file system takes no file of that size' };
    case 'EMFILE':
    case 'ENFILE':
      return { code: 'REPLICA_UNAVAILABLE', hint: 'raise the limit of open files' };
    case 'EIO':
      return { code: 'REPLICA_UNKNOWN', hint: 'have a look at the disk' };
    // A network file system that is out of reach for now.
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
