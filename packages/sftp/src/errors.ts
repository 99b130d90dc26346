/** What an SFTP server and SSH say, in our codes. */

import { messageOf, ReplicationError, type ErrorCode } from '@sluice/core/backend';
import { hintOfConnection, readSystemError } from '@sluice/core/backend/http';

/** A connection that could not be made, or is lost: the code is known where it is thrown. */
export class SSHError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** Answers of a server (SSH_FX_…). Those beyond 8 are of later drafts; ProFTPD sends them all the same. */
export const STATUS = {
  EOF: 1,
  NO_SUCH_FILE: 2,
  PERMISSION_DENIED: 3,
  FAILURE: 4,
  NO_CONNECTION: 6,
  CONNECTION_LOST: 7,
  UNSUPPORTED: 8,
  NO_SUCH_PATH: 10,
  ALREADY_EXISTS: 11,
  WRITE_PROTECT: 12,
  NO_SPACE: 14,
  QUOTA_EXCEEDED: 15,
  DIR_NOT_EMPTY: 18,
} as const;

/** The server's answer, as a number; undefined for what is no answer of a server. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'number' ? error.code : undefined;
}

export function isMissing(error: unknown): boolean {
  const status = statusOf(error);
  return status === STATUS.NO_SUCH_FILE || status === STATUS.NO_SUCH_PATH;
}

/** The answer; undefined where what was asked for is not there. */
export async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Gives an error a code. `what` says what was done, to what: "write … to sftp://u@h/b". */
export function toReplicationError(error: unknown, what: string): ReplicationError {
  const said = messageOf(error);
  if (error instanceof SSHError) {
    return new ReplicationError(error.code, `${what}: ${said}`, { cause: error });
  }
  const status = statusOf(error);
  const { code, hint } = classify(status);
  const answer = status === undefined ? said : `${said} (${status})`;
  const message = `${what}: ${answer}${hint === undefined ? '' : `; ${hint}`}`;
  return new ReplicationError(code, message, { cause: error, status });
}

function classify(status: number | undefined): { code: ErrorCode; hint?: string } {
  switch (status) {
    case STATUS.NO_SUCH_FILE:
    case STATUS.NO_SUCH_PATH:
      return { code: 'REPLICA_NOT_FOUND' };
    case STATUS.PERMISSION_DENIED:
      return { code: 'REPLICA_PERMISSION_DENIED', hint: 'check who owns the folder' };
    case STATUS.WRITE_PROTECT:
      return { code: 'REPLICA_PERMISSION_DENIED', hint: 'it is mounted read-only' };
    case STATUS.NO_SPACE:
    case STATUS.QUOTA_EXCEEDED:
      return { code: 'REPLICA_FULL', hint: 'no space is left there: make room' };
    case STATUS.NO_CONNECTION:
    case STATUS.CONNECTION_LOST:
      return { code: 'REPLICA_UNAVAILABLE' };
    case STATUS.UNSUPPORTED:
      return { code: 'REPLICA_UNSUPPORTED' };
    case STATUS.FAILURE:
      return {
        code: 'REPLICA_UNKNOWN',
        hint: 'the server says no more than that; look for a full disk or a quota there',
      };
    case undefined:
    default:
      return { code: 'REPLICA_UNKNOWN' };
  }
}

interface RawSSHError {
  readonly level?: unknown;
  readonly code?: unknown;
}

/** How far a connection has come: each part of it fails in its own way. */
export type Stage = 'greeting' | 'login' | 'ready';

/** The server has no key of the types that were asked for. */
export function isOfKeyTypes(error: unknown): boolean {
  return /no matching host key format/.test(messageOf(error));
}

/** What came in the place of SFTP: a login shell that prints something before it is started. */
function isOfOutput(said: string): boolean {
  return /Packet length \d+ exceeds max length|Invalid packet length/.test(said);
}

/** Why SSH cannot be spoken, or no longer. `hint` is of the login. */
export function toSSHError(error: unknown, stage: Stage, hint = ''): SSHError {
  if (error instanceof SSHError) return error;
  const said = messageOf(error);
  const { level, code } = (typeof error === 'object' && error !== null ? error : {}) as RawSSHError;
  if (level === 'client-authentication' || level === 'agent') {
    const message = `${said}; check user, password and key${hint}`;
    return new SSHError('REPLICA_UNAUTHENTICATED', message, error);
  }
  if (isOfOutput(said)) {
    const message =
      `what came is not SFTP (${said}): something prints text at each login there. Let it do so only ` +
      'where somebody sits (in .bashrc: case $- in *i*) … esac), or use internal-sftp';
    return new SSHError('REPLICA_UNSUPPORTED', message, error);
  }
  if (/Unable to start subsystem/.test(said)) {
    const message = `${said}; the server lets us in and has no SFTP for this user`;
    return new SSHError('REPLICA_UNAVAILABLE', message, error);
  }
  if (level === 'handshake') return new SSHError('REPLICA_UNSUPPORTED', said, error);
  // "Too many authentication failures" is a protocol error to OpenSSH.
  const isRefusal = stage === 'login' && (code === 2 || code === 14);
  if (isRefusal) return new SSHError('REPLICA_UNAUTHENTICATED', said, error);
  const next = hintOfConnection(readSystemError(error));
  const message = next === '' ? said : `${said}; ${next}`;
  return new SSHError('REPLICA_UNAVAILABLE', message, error);
}

/** A private key that cannot be read, for want of its passphrase for one. */
export function toKeyError(error: unknown): SSHError {
  if (error instanceof SSHError) return error;
  const message = `${messageOf(error)}; check key-path and passphrase`;
  return new SSHError('REPLICA_UNAUTHENTICATED', message, error);
}
