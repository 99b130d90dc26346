/** Error codes and hints for connections that failed in Node. */

import type { ErrorCode } from '../../error.ts';
import { textOf } from './refusal.ts';

/** An error of the operating system or of the network. */
export interface SystemError {
  /** "ECONNREFUSED"; '' if there is none. */
  readonly code: string;
  readonly message: string;
}

/** An untyped error: every property may be missing. */
interface Thrown {
  readonly code?: unknown;
  readonly message?: unknown;
  /** The errors of an AggregateError, one for each address. Its own message is empty. */
  readonly errors?: readonly unknown[];
}

/** Reads the code and message of an error from Node or an SDK. */
export function readSystemError(error: unknown): SystemError {
  const thrown: Thrown = typeof error === 'object' && error !== null ? error : {};
  const [first] = thrown.errors ?? [];
  const inner = first === undefined ? undefined : readSystemError(first);
  return {
    code: textOf(thrown.code) ?? inner?.code ?? '',
    message: readableMessage(textOf(thrown.message) ?? inner?.message ?? ''),
  };
}

/** Extracts the readable part of an OpenSSL message, which also contains positions in its source. */
function readableMessage(message: string): string {
  return message.replace(/[0-9A-F]+:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):[^]*$/, 'TLS: $1').trim();
}

/** The next step for a failed connection; '' if unknown. */
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
      return 'its certificate has expired: renew it, or correct the clock of this machine';
    case 'CERT_NOT_YET_VALID':
      return 'its certificate is not valid yet: correct the clock of this machine, or of its issuer';
    case 'CERT_REVOKED':
      return 'its certificate has been revoked: install a new one on the server';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the name has no address: check it, and the DNS of this machine';
    case 'ECONNREFUSED':
      return 'nothing listens there: check address and port, and whether the server is running';
    case 'ECONNRESET':
    case 'ECONNABORTED':
    case 'EPIPE':
      return 'the connection was lost: if this persists, check the server, and any proxy in between';
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'EHOSTDOWN':
    case 'ENETUNREACH':
    case 'ENETDOWN':
    case 'EADDRNOTAVAIL':
      return 'check the address, and the network and firewalls in between';
    case 'EMFILE':
    case 'ENFILE':
      return 'too many files are open: raise the limit (ulimit -n)';
    default:
      return hintOfTLS(code);
  }
}

function hintOfTLS(code: string): string {
  if (codeOfConnection(code) === 'REPLICA_HOST_UNTRUSTED') {
    return 'add the certificate of its authority with NODE_EXTRA_CA_CERTS';
  }
  return code === 'EPROTO' || code.startsWith('ERR_SSL_')
    ? 'check the port, and the TLS versions of the server'
    : '';
}

/** The code for a connection error; undefined for other errors. */
export function codeOfConnection(code: string): ErrorCode | undefined {
  if (/^(CERT_|DEPTH_ZERO_|ERR_TLS_CERT_|SELF_SIGNED_|UNABLE_TO_)/.test(code)) {
    return 'REPLICA_HOST_UNTRUSTED';
  }
  // The TLS handshake failed, or the response was not HTTP.
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
