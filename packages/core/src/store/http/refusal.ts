/** What a server said to a request that it refused, in our words. */

import { ReplicationError, type ErrorCode } from '../../error.ts';

/** All that is kept of it: an SDK's own error may hold the request, and with it a token or a key. */
export interface Refusal {
  /** "NoSuchKey" of a server, "ECONNREFUSED" of the system, a class name of an SDK. */
  readonly code: string;
  readonly message: string;
  readonly status: number | undefined;
  readonly requestID: string | undefined;
  readonly retryAfterMs: number | undefined;
}

export interface RefusalMeaning {
  /** What was done, to what. */
  readonly what: string;
  readonly code: ErrorCode;
  /** What to do now; '' where that is not known. */
  readonly hint: string;
  /** A word that the SDK puts where the server said none. */
  readonly filler: string;
}

export function errorOfRefusal(refusal: Refusal, meaning: RefusalMeaning): ReplicationError {
  const { code, message, status, retryAfterMs } = refusal;
  const cause = new Error(message);
  cause.name = code === '' ? 'Error' : code;
  const said = describe(refusal, meaning.filler);
  const hint = meaning.hint || (status === undefined ? '' : hintOfAnswer(meaning.code));
  const next = hint === '' ? '' : `; ${hint}`;
  const details = { cause, status, retryAfterMs };
  return new ReplicationError(meaning.code, `${meaning.what}: ${said}${next}`, details);
}

/** The next step where the backend knows no better one; '' where the caller decides what it means. */
function hintOfAnswer(code: ErrorCode): string {
  switch (code) {
    case 'REPLICA_UNAVAILABLE':
      return 'if it lasts, look at the state of the server, and at what stands between';
    case 'REPLICA_RATE_LIMITED':
      return 'if it lasts, ask the provider for a higher limit';
    case 'REPLICA_UNSUPPORTED':
      return 'the server does not offer this: check endpoint, and the version of the server';
    case 'REPLICA_FULL':
      return 'make room there, or raise the quota';
    case 'REPLICA_UNKNOWN':
      return 'check the settings of this destination, and what the provider says of this answer';
    default:
      return '';
  }
}

function describe({ code, message, status, requestID }: Refusal, filler: string): string {
  const words = message.includes(code) ? [message] : [code, message];
  const said = words
    .map((part) => part.replace(/\.$/, ''))
    .filter((part) => part !== '' && part !== filler);
  const of = status === undefined ? [] : [`status ${status}`];
  if (requestID !== undefined) of.push(`request ${requestID}`);
  return `${said.join(': ') || 'failed'}${of.length > 0 ? ` (${of.join(', ')})` : ''}`;
}

/** What a status alone says: of an answer from what stands between us and the server, say. */
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
    case 302: // a login page, and not the provider: no provider sends us elsewhere for a while
    case 303:
    case 407: // of a proxy
    case 408:
    case 500:
    case 502:
    case 504:
    case 511: // of a network that wants a login first
      return 'REPLICA_UNAVAILABLE';
    case undefined:
    default:
      // A gateway has numbers of its own (520 to 530, say). An unknown refusal must be seen, not repeated.
      return (status ?? 0) > 500 ? 'REPLICA_UNAVAILABLE' : 'REPLICA_UNKNOWN';
  }
}

/**
 * In ms, of the header Retry-After: seconds, or a date, which counts from the header Date of the same
 * answer: our own clock may be wrong. Undefined where it says nothing.
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

/** A text that says something, out of an error of which nothing is relied on. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
