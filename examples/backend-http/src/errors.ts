import type { ErrorCode } from '@sluice/core/backend';

const CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'REPLICA_UNAUTHENTICATED',
  403: 'REPLICA_PERMISSION_DENIED',
  413: 'REPLICA_UNSUPPORTED',
  429: 'REPLICA_RATE_LIMITED',
  507: 'REPLICA_FULL',
};

export function codeOf(status: number): ErrorCode {
  return CODES[status] ?? (status >= 500 ? 'REPLICA_UNAVAILABLE' : 'REPLICA_UNKNOWN');
}
