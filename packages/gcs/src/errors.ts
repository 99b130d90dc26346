/** Error codes for errors of Google Cloud Storage, of the SDK and of the network. */

import { isError, type ErrorCode, type ReplicationError } from '@sluice/core/backend';
import {
  codeOfConnection,
  codeOfStatus,
  errorOfForeignAnswer,
  errorOfRefusal,
  hintOfConnection,
  isPage,
  ForeignAnswerError,
  readRetryAfter,
  readSystemError,
  textOf,
  type SystemError,
} from '@sluice/core/backend/http';

/** A response without a success status. */
export interface Refusal {
  readonly status: number;
  /** JSON, or plain text if bytes were requested. */
  readonly body: string;
  readonly retryAfter?: string | null | undefined;
  /** The Date header. */
  readonly date?: string | null | undefined;
  /** The thing that a 404 is about, unless the response says that it is the bucket. */
  readonly about: 'bucket' | 'object' | 'bytes' | 'session';
}

const PROVIDER = 'Google Cloud Storage';

/**
 * Whether a refusal is not from Google. A 404 for an object must have Google's JSON, or a line of text
 * if bytes were requested.
 */
export function isForeignRefusal({ status, body, about }: Refusal): boolean {
  if (status >= 500) return false; // may come from any gateway, and can be retried
  if (isPage(body)) return true;
  return status === 404 && about === 'object' && !hasError(body);
}

/** Converts a refusal. `what` is the operation: "write … to gs://b". */
export function refusalToError(refusal: Refusal, what: string): ReplicationError {
  const { status } = refusal;
  const { reason, message } = readBody(refusal.body);
  const code = classify(refusal, reason, message);
  if (reason === '' && message === '' && code === 'REPLICA_UNKNOWN') {
    const answer = { status, text: refusal.body, lacks: 'no error in JSON' };
    return errorOfForeignAnswer(new ForeignAnswerError(answer), { what, provider: PROVIDER });
  }
  const text = reason === '' && message === '' ? 'refused' : message;
  const retryAfterMs = readRetryAfter(refusal.retryAfter, refusal.date);
  return errorOfRefusal(
    { code: reason, message: text, status, requestID: undefined, retryAfterMs },
    { what, code, hint: hintFor(code, { code: reason, message }), filler: '' },
  );
}

/** Converts an error that the SDK or the network threw. */
export function thrownToError(error: unknown, what: string): ReplicationError {
  if (isError(error)) return error;
  if (error instanceof ForeignAnswerError) {
    return errorOfForeignAnswer(error, { what, provider: PROVIDER });
  }
  const { code: name, message, status } = readThrown(error);
  const code = classifyThrown(name, message, status);
  // The SDK's error is not kept as the cause: it contains the request with its token.
  return errorOfRefusal(
    { code: name, message, status, requestID: undefined, retryAfterMs: undefined },
    { what, code, hint: hintFor(code, { code: name, message }), filler: '' },
  );
}

interface ErrorBody {
  readonly error?: {
    readonly message?: unknown;
    readonly errors?: readonly { readonly reason?: unknown }[];
  };
}

function hasError(body: string): boolean {
  try {
    return (JSON.parse(body) as ErrorBody | null)?.error !== undefined;
  } catch {
    return false;
  }
}

/** How much of a response that is not JSON is shown. */
const TEXT_CHARS_MAX = 200;

function readBody(body: string): { reason: string; message: string } {
  try {
    const { error } = JSON.parse(body) as ErrorBody;
    const reason = error?.errors?.[0]?.reason;
    return { reason: textOf(reason) ?? '', message: textOf(error?.message) ?? '' };
  } catch {
    const isPage = /^\s*<(!doctype|html)/i.test(body);
    return { reason: '', message: isPage ? '' : body.trim().slice(0, TEXT_CHARS_MAX) };
  }
}

function classify({ status, about }: Refusal, reason: string, message: string): ErrorCode {
  switch (status) {
    case 400:
      if (/bucket name/i.test(message)) return 'REPLICA_DESTINATION_NOT_FOUND';
      // Corrupted in transit.
      return /\b(md5|crc32c|checksum|hash)\b/i.test(message)
        ? 'REPLICA_UNAVAILABLE'
        : 'REPLICA_UNKNOWN';
    case 403:
      return /rateLimitExceeded/i.test(reason)
        ? 'REPLICA_RATE_LIMITED'
        : 'REPLICA_PERMISSION_DENIED';
    case 404:
      if (about === 'session') return 'REPLICA_UNAVAILABLE';
      return about === 'bucket' || /bucket does not exist/i.test(message)
        ? 'REPLICA_DESTINATION_NOT_FOUND'
        : 'REPLICA_NOT_FOUND';
    case 413:
      return 'REPLICA_UNSUPPORTED';
    case 409: // another write of this name was in progress
    case 410: // an upload that was canceled, or is a week old
    case 499:
    case 503:
      return 'REPLICA_UNAVAILABLE';
    default:
      return codeOfStatus(status);
  }
}

/** Fields of the SDK's errors. Every field may be missing. */
interface Thrown {
  readonly cause?: unknown;
  readonly response?: { readonly status?: unknown };
}

function readThrown(error: unknown): SystemError & { readonly status: number | undefined } {
  const fields: Thrown = typeof error === 'object' && error !== null ? error : {};
  const status = fields.response?.status;
  const { code, message } = readSystemError(error);
  return {
    code: code || readSystemError(fields.cause).code,
    // URLs without their query: it may contain an upload ID, with which anyone can continue the upload.
    message: (message || String(error)).replaceAll(/(https?:\/\/[^\s?]+)\?\S*/g, '$1'),
    status: typeof status === 'number' ? status : undefined,
  };
}

function classifyThrown(name: string, message: string, status: number | undefined): ErrorCode {
  // Our own requests do not throw for a status, so this was a request for a token.
  if (status !== undefined) {
    return status >= 500 || status === 429 ? 'REPLICA_UNAVAILABLE' : 'REPLICA_UNAUTHENTICATED';
  }
  if (/default credentials|invalid_grant|credentials/i.test(message)) {
    return 'REPLICA_UNAUTHENTICATED';
  }
  // The body broke off.
  if (name.startsWith('ERR_STREAM_') || /socket hang up/i.test(message))
    return 'REPLICA_UNAVAILABLE';
  return codeOfConnection(name) ?? 'REPLICA_UNKNOWN';
}

function hintFor(code: ErrorCode, error: Pick<SystemError, 'code' | 'message'>): string {
  switch (code) {
    case 'REPLICA_PERMISSION_DENIED':
      return 'check the roles of these credentials on the bucket';
    case 'REPLICA_UNAUTHENTICATED':
      return 'check credentials, or GOOGLE_APPLICATION_CREDENTIALS and the other sources of the SDK';
    case 'REPLICA_DESTINATION_NOT_FOUND':
      return 'check bucket and endpoint';
    default:
      return hintOfConnection(error);
  }
}
