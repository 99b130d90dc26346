/**
 * The one error class of Sluice, and the table of its codes.
 *
 * Codes are API, messages are not. `docs/errors.md` explains each code: its meaning, whether Sluice
 * retries, and how to fix it. Treat unknown codes as `REPLICA_UNKNOWN`.
 */

export type ErrorCode =
  | 'LTX_INVALID'
  | 'LTX_UNSUPPORTED'
  | 'LTX_TRUNCATED'
  | 'LTX_CHECKSUM_MISMATCH'
  | 'LTX_NOT_CONTIGUOUS'
  | 'WAL_INVALID'
  | 'WAL_UNSUPPORTED'
  | 'DATABASE_NOT_WAL'
  | 'DATABASE_BUSY'
  | 'DATABASE_INVALID'
  | 'DATABASE_REPLACED'
  | 'DATABASE_DENIED'
  | 'SQLITE_TOO_OLD'
  | 'STAGING_FULL'
  | 'STAGING_FAILED'
  | 'STAGING_IN_USE'
  | 'NOT_DURABLE'
  | 'NOT_RUNNING'
  | 'REPLICA_NOT_FOUND'
  | 'REPLICA_DESTINATION_NOT_FOUND'
  | 'REPLICA_PERMISSION_DENIED'
  | 'REPLICA_UNAUTHENTICATED'
  | 'REPLICA_HOST_UNTRUSTED'
  | 'REPLICA_NO_IDENTITY'
  | 'REPLICA_CONFLICT'
  | 'REPLICA_IN_USE'
  | 'REPLICA_NOT_LISTED'
  | 'REPLICA_FULL'
  | 'REPLICA_RATE_LIMITED'
  | 'REPLICA_UNAVAILABLE'
  | 'REPLICA_TRUNCATED'
  | 'REPLICA_CHANGED'
  | 'REPLICA_RANGE'
  | 'REPLICA_UNSUPPORTED'
  | 'REPLICA_CLOSED'
  | 'REPLICA_UNKNOWN'
  | 'RESTORE_NO_SNAPSHOT'
  | 'RESTORE_GAP'
  | 'RESTORE_DAMAGED'
  | 'RESTORE_OUT_OF_RANGE'
  | 'RESTORE_AMBIGUOUS'
  | 'RESTORE_TARGET_EXISTS'
  | 'RESTORE_INTEGRITY'
  | 'RESTORE_OUTPUT'
  | 'CONFIG_INVALID';

/** All codes. `retryable`: another attempt may succeed. */
export const ERROR_CODES: Readonly<Record<ErrorCode, { readonly retryable: boolean }>> = {
  LTX_INVALID: { retryable: false },
  LTX_UNSUPPORTED: { retryable: false },
  LTX_TRUNCATED: { retryable: false },
  LTX_CHECKSUM_MISMATCH: { retryable: false },
  LTX_NOT_CONTIGUOUS: { retryable: false },
  WAL_INVALID: { retryable: false },
  WAL_UNSUPPORTED: { retryable: false },
  DATABASE_NOT_WAL: { retryable: false },
  DATABASE_BUSY: { retryable: true },
  DATABASE_INVALID: { retryable: false },
  DATABASE_REPLACED: { retryable: false },
  DATABASE_DENIED: { retryable: false },
  SQLITE_TOO_OLD: { retryable: false },
  STAGING_FULL: { retryable: true },
  STAGING_FAILED: { retryable: false },
  STAGING_IN_USE: { retryable: true },
  NOT_DURABLE: { retryable: true },
  NOT_RUNNING: { retryable: false },
  REPLICA_NOT_FOUND: { retryable: false },
  REPLICA_DESTINATION_NOT_FOUND: { retryable: false },
  REPLICA_PERMISSION_DENIED: { retryable: false },
  REPLICA_UNAUTHENTICATED: { retryable: false },
  REPLICA_HOST_UNTRUSTED: { retryable: false },
  REPLICA_NO_IDENTITY: { retryable: false },
  REPLICA_CONFLICT: { retryable: false },
  REPLICA_IN_USE: { retryable: false },
  REPLICA_NOT_LISTED: { retryable: false },
  REPLICA_FULL: { retryable: true },
  REPLICA_RATE_LIMITED: { retryable: true },
  REPLICA_UNAVAILABLE: { retryable: true },
  REPLICA_TRUNCATED: { retryable: true },
  REPLICA_CHANGED: { retryable: true },
  REPLICA_RANGE: { retryable: false },
  REPLICA_UNSUPPORTED: { retryable: false },
  REPLICA_CLOSED: { retryable: false },
  REPLICA_UNKNOWN: { retryable: false },
  RESTORE_NO_SNAPSHOT: { retryable: false },
  RESTORE_GAP: { retryable: false },
  RESTORE_DAMAGED: { retryable: false },
  RESTORE_OUT_OF_RANGE: { retryable: false },
  RESTORE_AMBIGUOUS: { retryable: false },
  RESTORE_TARGET_EXISTS: { retryable: false },
  RESTORE_INTEGRITY: { retryable: false },
  RESTORE_OUTPUT: { retryable: false },
  CONFIG_INVALID: { retryable: false },
};

/** One problem in a configuration: its path (`['dbs', 0, 'path']`), and how to fix it. */
export interface ConfigIssue {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** A file that failed in a call with many files. */
export interface FileFailure {
  readonly file: string;
  readonly code: ErrorCode;
  readonly message?: string | undefined;
}

/** Why a commit did not become durable in time, and which destinations have it. */
export interface DurableFailure {
  /**
   * `lost`: too few destinations are left, because the others have been failing for some seconds.
   * `interrupted`: the database was not followed without a gap, e.g. because its file was replaced.
   */
  readonly reason: 'timeout' | 'aborted' | 'lost' | 'interrupted' | 'closed';
  /** 16 hex digits; undefined if the commit was not staged. */
  readonly txid: string | undefined;
  /** Names of the destinations that have it. */
  readonly have: readonly string[];
  readonly lack: readonly {
    readonly name: string;
    readonly state: string;
    /** The newest TXID there, 16 hex digits. */
    readonly txid: string | undefined;
    readonly error: string | undefined;
  }[];
}

export interface ErrorDetails {
  readonly cause?: unknown;
  /** The HTTP status of the response, if there is one. */
  readonly status?: number | undefined;
  /** The delay requested by the server. */
  readonly retryAfterMs?: number | undefined;
  readonly failures?: readonly FileFailure[] | undefined;
  readonly issues?: readonly ConfigIssue[] | undefined;
  /** With REPLICA_DESTINATION_NOT_FOUND: the folder was never seen; the first write would create it. */
  readonly isNew?: true | undefined;
  /** With NOT_DURABLE. */
  readonly durable?: DurableFailure | undefined;
}

/**
 * A registered symbol, so that two copies of this package recognize each other's errors.
 */
const BRAND = Symbol.for('sluice.ReplicationError');

/**
 * An error with a code. Its message has four parts: what Sluice did, to what, what came back, and what
 * to do next.
 */
export class ReplicationError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly failures?: readonly FileFailure[] | undefined;
  readonly issues?: readonly ConfigIssue[] | undefined;
  readonly isNew?: true | undefined;
  readonly durable?: DurableFailure | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'ReplicationError';
    this.code = code;
    this.retryable = ERROR_CODES[code].retryable;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
    this.failures = details.failures;
    this.issues = details.issues;
    this.isNew = details.isNew;
    this.durable = details.durable;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/**
 * Whether `error` is a ReplicationError, with `code` if given. Works across copies of this package.
 */
export function isError(error: unknown, code?: ErrorCode): error is ReplicationError {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false;
  return code === undefined || (error as unknown as ReplicationError).code === code;
}

/** Throws if an invariant does not hold. Do not catch this error: the process must stop. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new TypeError(`invariant broken: ${message}`);
}

/** Whether `error` is one of `assert`. */
export function isBrokenInvariant(error: unknown): boolean {
  return error instanceof TypeError && error.message.startsWith('invariant broken');
}

/** The message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
