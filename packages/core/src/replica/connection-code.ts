import type { ErrorCode } from '../error.ts';

/** What a code of Node's means that says how a connection failed; undefined where it is none of these. */
export function codeOfConnection(code: string): ErrorCode | undefined {
  switch (code) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'CERT_HAS_EXPIRED':
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'REPLICA_HOST_UNTRUSTED';
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
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return 'REPLICA_UNAVAILABLE';
    default:
      return undefined;
  }
}
