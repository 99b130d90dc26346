/** What Google Cloud Storage says, and what the network says, in our codes. */

import { isError, type ErrorCode, type ReplicationError } from '@sluice/core/backend';
import type { SystemError } from '@sluice/core/backend/http';
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
} from '@sluice/core/backend/http';

/** An answer that is not what was asked for. */
export interface Refusal {
  readonly status: number;
  /** JSON, or plain text where bytes were asked for. */
  readonly body: string;
  readonly retryAfter?: string | null | undefined;
  /** The server's time. */
  readonly date?: string | null | undefined;
  /** What a 404 means, unless the answer says that it is the bucket. */
  readonly about: 'bucket' | 'object' | 'bytes' | 'session';
}

const PROVIDER = 'Google Cloud Storage';

/**
 * Whether a refusal is not Google's. That an object is not there must be said in Google's JSON; where
 * its bytes were asked for, in a line of text.
 */
export function isForeignRefusal({ status, body, about }: Refusal): boolean {
  if (status >= 500) return false; // whoever it is that has no time
  if (isPage(body)) return true;
  return status === 404 && about === 'object' && !hasError(body);
}

/** Gives a refused request a code. `what` says what was done, to what. */
export function refusalToError(refusal: Refusal, what: string): ReplicationError {
  const { status } = refusal;
  const { reason, message } = readBody(refusal.body);
  const code = classify(refusal, reason, message);
  if (reason === '' && message === '' && code === 'REPLICA_UNKNOWN') {
    const answer = { status, text: refusal.body, lacks: 'no error in JSON' };
    return errorOfForeignAnswer(new ForeignAnswerError(answer), { what, provider: PROVIDER });
  }
  const said = reason === '' && message === '' ? 'refused' : message;
  const retryAfterMs = readRetryAfter(refusal.retryAfter, refusal.date);
  return errorOfRefusal(
    { code: reason, message: said, status, requestID: undefined, retryAfterMs },
    { what, code, hint: hintFor(code, { code: reason, message }), filler: '' },
  );
}

/** Gives what the SDK or the network throws a code. */
export function thrownToError(error: unknown, what: string): ReplicationError {
  if (isError(error)) return error;
  if (error instanceof ForeignAnswerError) {
    return errorOfForeignAnswer(error, { what, provider: PROVIDER });
  }
  const { code: name, message, status } = readThrown(error);
  const code = classifyThrown(name, message, status);
  // The SDK's error itself is not kept: it holds the request, and with it the token.
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

/** The text of an answer that is no JSON: enough to see what it is. */
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
      // What arrived was not what we sent.
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
    case 409: // another write of this name was on its way
    case 410: // an upload that somebody ended, or that is a week old
    case 499:
    case 503:
      return 'REPLICA_UNAVAILABLE';
    default:
      return codeOfStatus(status);
  }
}

/** What the SDK puts into its errors. Nothing of it is relied on to be there. */
interface Thrown {
  readonly cause?: unknown;
  readonly response?: { readonly status?: unknown };
}

function readThrown(error: unknown): SystemError & { readonly status: number | undefined } {
  const said: Thrown = typeof error === 'object' && error !== null ? error : {};
  const status = said.response?.status;
  const { code, message } = readSystemError(error);
  return {
    code: code || readSystemError(said.cause).code,
    // Of a URL only the place: the rest may hold an upload's id, which lets anybody go on with it.
    message: (message || String(error)).replaceAll(/(https?:\/\/[^\s?]+)\?\S*/g, '$1'),
    status: typeof status === 'number' ? status : undefined,
  };
}

function classifyThrown(name: string, message: string, status: number | undefined): ErrorCode {
  // Our own requests throw at no status: this one was for a token.
  if (status !== undefined) {
    return status >= 500 || status === 429 ? 'REPLICA_UNAVAILABLE' : 'REPLICA_UNAUTHENTICATED';
  }
  if (/default credentials|invalid_grant|credentials/i.test(message)) {
    return 'REPLICA_UNAUTHENTICATED';
  }
  // A body that broke off.
  if (name.startsWith('ERR_STREAM_') || /socket hang up/i.test(message))
    return 'REPLICA_UNAVAILABLE';
  return codeOfConnection(name) ?? 'REPLICA_UNKNOWN';
}

function hintFor(code: ErrorCode, said: Pick<SystemError, 'code' | 'message'>): string {
  switch (code) {
    case 'REPLICA_PERMISSION_DENIED':
      return 'check the roles of these credentials on the bucket';
    case 'REPLICA_UNAUTHENTICATED':
      return 'check credentials, or GOOGLE_APPLICATION_CREDENTIALS and what else the SDK looks for';
    case 'REPLICA_DESTINATION_NOT_FOUND':
      return 'check bucket and endpoint';
    default:
      return hintOfConnection(said);
  }
}
