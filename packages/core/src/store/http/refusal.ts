/** Converts refusals of a server to ReplicationErrors. */

import { ReplicationError, type ErrorCode } from '../../error.ts';

/** The safe parts of a refusal: an SDK's own error may contain the request, and with it a token or a key. */
export interface Refusal {
  /** "NoSuchKey" from a server, "ECONNREFUSED" from the system, or a class name of an SDK. */
  readonly code: string;
  readonly message: string;
  readonly status: number | undefined;
  readonly requestID: string | undefined;
  readonly retryAfterMs: number | undefined;
}

/** What a refusal means for a call. */
export interface RefusalMeaning {
  /** The call, for the message. */
  readonly what: string;
  readonly code: ErrorCode;
  /** What to do next; '' if unknown. */
  readonly hint: string;
  /** The SDK's placeholder for an empty message. */
  readonly filler: string;
}

/** The error for a response that refuses a request, with the provider's own words and the HTTP status. */
export function errorOfRefusal(refusal: Refusal, meaning: RefusalMeaning): ReplicationError {
  const { code, message, status, retryAfterMs } = refusal;
  const cause = new Error(message);
  cause.name = code === '' ? 'Error' : code;
  const text = describe(refusal, meaning.filler);
  const hint = meaning.hint || (status === undefined ? '' : hintOfAnswer(meaning.code));
  const next = hint === '' ? '' : `; ${hint}`;
  const details = { cause, status, retryAfterMs };
  return new ReplicationError(meaning.code, `${meaning.what}: ${text}${next}`, details);
}

/** The default next step; '' if the caller decides. */
function hintOfAnswer(code: ErrorCode): string {
  switch (code) {
    case 'REPLICA_UNAVAILABLE':
      return 'if this persists, check the server, and any proxy in between';
    case 'REPLICA_RATE_LIMITED':
      return 'if this persists, ask the provider for a higher limit';
    case 'REPLICA_UNSUPPORTED':
      return 'the server does not support this: check endpoint, and the version of the server';
    case 'REPLICA_FULL':
      return 'free some space there, or raise the quota';
    case 'REPLICA_UNKNOWN':
      return "check the settings of this destination, and the provider's documentation of this error";
    default:
      return '';
  }
}

function describe({ code, message, status, requestID }: Refusal, filler: string): string {
  const words = message.includes(code) ? [message] : [code, message];
  const texts = words
    .map((part) => part.replace(/\.$/, ''))
    .filter((part) => part !== '' && part !== filler);
  const details = status === undefined ? [] : [`status ${status}`];
  if (requestID !== undefined) details.push(`request ${requestID}`);
  return `${texts.join(': ') || 'failed'}${details.length > 0 ? ` (${details.join(', ')})` : ''}`;
}

/** The code for a status alone, for example from a proxy between us and the server. */
export function codeOfStatus(status: number | undefined): ErrorCode {
  switch (status) {
    case 401:
      return 'REPLICA_UNAUTHENTICATED';
    case 403:
      return 'REPLICA_PERMISSION_DENIED';
    case 405:
    case 501:
      return 'REPLICA_UNSUPPORTED';
    case 412:
      return 'REPLICA_CONFLICT';
    case 416:
      return 'REPLICA_RANGE';
    case 429:
    case 503:
      return 'REPLICA_RATE_LIMITED';
    case 507:
      return 'REPLICA_FULL';
    case 302: // a login page: providers do not redirect temporarily
    case 303:
    case 407: // from a proxy
    case 408:
    case 500:
    case 502:
    case 504:
    case 511: // from a network that requires a login
      return 'REPLICA_UNAVAILABLE';
    case undefined:
    default:
      // Gateways have their own statuses (520 to 530). Other unknown refusals must be visible, not retried.
      return (status ?? 0) > 500 ? 'REPLICA_UNAVAILABLE' : 'REPLICA_UNKNOWN';
  }
}

/**
 * The header Retry-After in ms: seconds, or a date, relative to the Date header of the same response because
 * our own clock may be wrong. Undefined if it is missing or invalid.
 */
export function readRetryAfter(
  header: string | null | undefined,
  date: string | null | undefined,
): number | undefined {
  if (header === undefined || header === null) return undefined;
  const ms = /^\d+$/.test(header)
    ? Number(header) * 1_000
    : Date.parse(header) - Date.parse(date ?? '');
  return ms > 0 ? ms : undefined;
}

/** A non-empty text from an untyped error; undefined for anything else. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
