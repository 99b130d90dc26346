/** Error codes for answers of an SFTP server and for errors of SSH. */

import { messageOf, ReplicationError, type ErrorCode } from '@sluice/core/backend';
import { hintOfConnection, readSystemError } from '@sluice/core/backend/http';
import type { Channel } from './channel.ts';

/** A connection failed or was lost. */
export class SSHError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** Status codes of a server (SSH_FX_…). Those above 8 are from later drafts, but ProFTPD sends them. */
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

/** The status code of the server; undefined if the error is not an answer of the server. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'number' ? error.code : undefined;
}

export function isMissing(error: unknown): boolean {
  const status = statusOf(error);
  return status === STATUS.NO_SUCH_FILE || status === STATUS.NO_SUCH_PATH;
}

/** Undefined if the file does not exist. */
export async function unlessMissing<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** For steps that a server may refuse. An error without a status means that the connection is lost. */
export function ignoreRefusal(error: unknown): undefined {
  if (statusOf(error) === undefined) throw error;
}

/** Returns whether the file existed. */
export async function removeIfExists(channel: Channel, path: string): Promise<boolean> {
  return (await unlessMissing(channel.unlink(path).then(() => true))) ?? false;
}

/** Converts an error. `what` is the operation: "write … to sftp://u@h". */
export function toReplicationError(error: unknown, what: string): ReplicationError {
  const text = messageOf(error);
  if (error instanceof SSHError) {
    return new ReplicationError(error.code, `${what}: ${text}`, { cause: error });
  }
  const status = statusOf(error);
  const { code, hint } = classify(status);
  const answer = status === undefined ? text : `${text} (${status})`;
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
        hint: 'the server gives no reason; look for a full disk or a quota there',
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

/** The progress of a connection. The same error means different things in each stage. */
export type Stage = 'greeting' | 'login' | 'ready';

/** Whether the server has no key of the requested types. */
export function isKeyTypeError(error: unknown): boolean {
  return /no matching host key format/.test(messageOf(error));
}

/** Converts an error of SSH. `hint` is the hint of the login. */
export function toSSHError(error: unknown, stage: Stage, hint = ''): SSHError {
  if (error instanceof SSHError) return error;
  const text = messageOf(error);
  const { level, code } = (typeof error === 'object' && error !== null ? error : {}) as RawSSHError;
  if (level === 'client-authentication' || level === 'agent') {
    const message = `${text}; check user, password and key${hint}`;
    return new SSHError('REPLICA_UNAUTHENTICATED', message, error);
  }
  // A login shell prints text before SFTP starts.
  if (/Packet length \d+ exceeds max length|Invalid packet length/.test(text)) {
    const message =
      `the answer is not SFTP (${text}): something prints text at each login there. Print it only ` +
      'in interactive shells (in .bashrc: case $- in *i*) … esac), or use internal-sftp';
    return new SSHError('REPLICA_UNSUPPORTED', message, error);
  }
  if (/Unable to start subsystem/.test(text)) {
    const message = `${text}; the login works, but this user has no SFTP: enable it on the server`;
    return new SSHError('REPLICA_UNAVAILABLE', message, error);
  }
  if (level === 'handshake') return new SSHError('REPLICA_UNSUPPORTED', text, error);
  // OpenSSH reports "Too many authentication failures" as a protocol error.
  const isRefusal = stage === 'login' && (code === 2 || code === 14);
  if (isRefusal) return new SSHError('REPLICA_UNAUTHENTICATED', text, error);
  const next = hintOfConnection(readSystemError(error));
  const message = next === '' ? text : `${text}; ${next}`;
  return new SSHError('REPLICA_UNAVAILABLE', message, error);
}

/** Converts an error of a private key, such as a missing passphrase. */
export function toKeyError(error: unknown): SSHError {
  if (error instanceof SSHError) return error;
  const message = `${messageOf(error)}; check key-path and passphrase`;
  return new SSHError('REPLICA_UNAUTHENTICATED', message, error);
}
