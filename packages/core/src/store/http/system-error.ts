/** What Node says of a connection that failed, in our codes. */

import type { ErrorCode } from '../../error.ts';
import { textOf } from './refusal.ts';

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
    message: sayPlainly(textOf(said.message) ?? within?.message ?? ''),
  };
}

/** Of OpenSSL's own words, those that say something. They are a line with places in its source. */
function sayPlainly(message: string): string {
  return message.replace(/[0-9A-F]+:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):[^]*$/, 'TLS: $1').trim();
}

/** What to do about a connection that could not be made; '' where that is not known. */
export function hintOfConnection({ code, message }: Pick<SystemError, 'code' | 'message'>): string {
  if (/wrong version number|packet length too long|http request/i.test(message)) {
    return 'the server speaks plain HTTP at that port: write http:// in endpoint, or its port for https';
  }
  if (code.startsWith('HPE_')) {
    return 'the server does not speak plain HTTP at that port: write https:// in endpoint, or its port for http';
  }
  switch (code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return (
        'its certificate is for another name: write that name in endpoint, or give the server a ' +
        'certificate for this one'
      );
    case 'CERT_HAS_EXPIRED':
      return 'its certificate has expired: renew it, or set the clock of this machine';
    case 'CERT_NOT_YET_VALID':
      return 'its certificate is not valid yet: set the clock of this machine, or of the one that made it';
    case 'CERT_REVOKED':
      return 'its certificate has been revoked: give the server another one';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'no address is known for that name: check it, and the DNS of this machine';
    case 'ECONNREFUSED':
      return 'nothing listens there: check address and port, and that the server runs';
    case 'ECONNRESET':
    case 'ECONNABORTED':
    case 'EPIPE':
      return 'the connection was cut: if it lasts, look at the server, and at what stands between';
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'EHOSTDOWN':
    case 'ENETUNREACH':
    case 'ENETDOWN':
    case 'EADDRNOTAVAIL':
      return 'check the address, and the network and firewalls on the way there';
    case 'EMFILE':
    case 'ENFILE':
      return 'too many files are open: raise the limit (ulimit -n)';
    default:
      return hintOfTLS(code);
  }
}

function hintOfTLS(code: string): string {
  if (codeOfConnection(code) === 'REPLICA_HOST_UNTRUSTED') {
    return 'give its authority in NODE_EXTRA_CA_CERTS';
  }
  return code === 'EPROTO' || code.startsWith('ERR_SSL_')
    ? 'check the port, and which versions of TLS the server speaks'
    : '';
}

/** What such a code means; undefined where it is not of a connection. */
export function codeOfConnection(code: string): ErrorCode | undefined {
  if (/^(CERT_|DEPTH_ZERO_|ERR_TLS_CERT_|SELF_SIGNED_|UNABLE_TO_)/.test(code)) {
    return 'REPLICA_HOST_UNTRUSTED';
  }
  // TLS could not be spoken, or what came was not HTTP.
  if (/^(ERR_SSL_|HPE_)/.test(code)) return 'REPLICA_UNAVAILABLE';
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
