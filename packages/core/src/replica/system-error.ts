/** What Node says of a connection that failed, in our codes. */

import type { ErrorCode } from '../error.ts';
import { textOf } from './http-refusal.ts';

export interface SystemError {
  /** "ECONNREFUSED"; '' where there is none. */
  readonly code: string;
  readonly message: string;
}

/** Nothing of it is relied on to be there. */
interface Thrown {
  readonly code?: unknown;
  readonly message?: unknown;
  /** Of an AggregateError, which says nothing itself: one for each address that was tried. */
  readonly errors?: readonly unknown[];
}

/** Out of an error that Node or an SDK threw. */
export function readSystemError(error: unknown): SystemError {
  const said: Thrown = typeof error === 'object' && error !== null ? error : {};
  const [first] = said.errors ?? [];
  const within = first === undefined ? undefined : readSystemError(first);
  return {
    code: textOf(said.code) ?? within?.code ?? '',
    message: textOf(said.message) ?? within?.message ?? '',
  };
}

/** What such a code means; undefined where it is not of a connection. */
export function codeOfConnection(code: string): ErrorCode | undefined {
  if (/^(CERT_|DEPTH_ZERO_|ERR_TLS_CERT_|SELF_SIGNED_|UNABLE_TO_)/.test(code)) {
    return 'REPLICA_HOST_UNTRUSTED';
  }
  switch (code) {
    case 'ECONNREFUSED':
    case 'ECONNRESET':
    case 'ECONNABORTED':
    case 'EPIPE':
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'EHOSTDOWN':
    case 'ENETUNREACH':
    case 'ENETDOWN':
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EPROTO':
    case 'EMFILE':
    case 'ENFILE':
    case 'ERR_PROXY_TUNNEL':
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return 'REPLICA_UNAVAILABLE';
    default:
      return undefined;
  }
}
