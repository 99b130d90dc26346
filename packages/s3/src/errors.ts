/** What S3 says, and what the network says, in our codes. */

import { ReplicationError, type ErrorCode } from '@sluice/core/backend';

interface ServiceError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly Code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
  readonly $retryable?: unknown;
}

/** Gives an error of the SDK a code. `what` says what was done, to what. */
export function toReplicationError(error: unknown, what: string): ReplicationError {
  const {
    name = '',
    message = String(error),
    code,
    Code,
    $metadata,
    $response,
  } = error as ServiceError;
  const status = $metadata?.httpStatusCode;
  const said = Code ?? name;
  const kind = classify(said, code, status);
  const hint = HINTS[kind];
  const retryAfter = Number($response?.headers?.['retry-after']);
  const answer = status === undefined ? message : `${said || message} (${status})`;
  return new ReplicationError(kind, `${what}: ${answer}${hint === undefined ? '' : `; ${hint}`}`, {
    cause: error,
    status,
    retryAfterMs: Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter * 1000 : undefined,
  });
}

const HINTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  REPLICA_PERMISSION_DENIED: 'check the policy of these credentials',
  REPLICA_UNAUTHENTICATED: 'check key, secret and token, and this machine’s clock',
  REPLICA_DESTINATION_NOT_FOUND: 'check the name of the bucket and its region',
};

/** The code of one object's failure in DeleteObjects. */
export function codeOfObject(code: string | undefined): ErrorCode {
  return classify(code ?? '', undefined, undefined);
}

function classify(name: string, system: string | undefined, status: number | undefined): ErrorCode {
  switch (name) {
    case 'NoSuchKey':
    case 'NotFound':
    case 'NoSuchVersion':
      return 'REPLICA_NOT_FOUND';
    case 'NoSuchBucket':
      return 'REPLICA_DESTINATION_NOT_FOUND';
    case 'AccessDenied':
    case 'AllAccessDisabled':
    case 'AccountProblem':
    case 'InvalidObjectState':
    case 'ObjectLocked':
      return 'REPLICA_PERMISSION_DENIED';
    case 'InvalidAccessKeyId':
    case 'SignatureDoesNotMatch':
    case 'ExpiredToken':
    case 'InvalidToken':
    case 'TokenRefreshRequired':
    case 'RequestTimeTooSkewed':
    case 'CredentialsProviderError':
      return 'REPLICA_UNAUTHENTICATED';
    case 'PreconditionFailed':
      return 'REPLICA_CONFLICT';
    case 'ConditionalRequestConflict':
    case 'OperationAborted':
    case 'RequestTimeout':
    case 'InternalError':
    case 'TimeoutError':
      return 'REPLICA_UNAVAILABLE';
    case 'SlowDown':
    case 'Throttling':
    case 'ThrottlingException':
    case 'TooManyRequests':
    case 'RequestLimitExceeded':
      return 'REPLICA_RATE_LIMITED';
    case 'XMinioStorageFull':
    case 'QuotaExceeded':
      return 'REPLICA_FULL';
    case 'InvalidRange':
      return 'REPLICA_RANGE';
    case 'NotImplemented':
    case 'EntityTooLarge':
      return 'REPLICA_UNSUPPORTED';
    default:
      return system !== undefined ? 'REPLICA_UNAVAILABLE' : byStatus(status);
  }
}

/** Where the answer has no body: HEAD, and proxies. */
function byStatus(status: number | undefined): ErrorCode {
  switch (status) {
    case 401:
      return 'REPLICA_UNAUTHENTICATED';
    case 403:
      return 'REPLICA_PERMISSION_DENIED';
    case 404:
      return 'REPLICA_NOT_FOUND';
    case 409:
      return 'REPLICA_UNAVAILABLE';
    case 412:
      return 'REPLICA_CONFLICT';
    case 416:
      return 'REPLICA_RANGE';
    case 429:
    case 503:
      return 'REPLICA_RATE_LIMITED';
    case 408:
    case 500:
    case 502:
    case 504:
      return 'REPLICA_UNAVAILABLE';
    case 507:
      return 'REPLICA_FULL';
    case undefined:
    default:
      return 'REPLICA_UNKNOWN';
  }
}
