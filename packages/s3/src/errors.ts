/** Error codes for errors of S3, of the SDK and of the network. */

import type { ErrorCode, ReplicationError } from '@sluice/core/backend';
import {
  codeOfConnection,
  codeOfStatus,
  errorOfForeignAnswer,
  errorOfRefusal,
  hintOfConnection,
  ForeignAnswerError,
  readRetryAfter,
  readSystemError,
  textOf,
  type Refusal,
} from '@sluice/core/backend/http';

/** Converts an error of the SDK. `what` is the operation: "write … to s3://b". */
export function toReplicationError(error: unknown, what: string): ReplicationError {
  if (error instanceof ForeignAnswerError)
    return errorOfForeignAnswer(error, { what, provider: PROVIDER });
  const answer = readAnswer(error);
  const code = classify(answer.code, answer.status);
  if (code === 'REPLICA_UNKNOWN' && isWithoutError(answer)) {
    const foreign = new ForeignAnswerError({ status: answer.status, lacks: 'no error in XML' });
    return errorOfForeignAnswer(foreign, { what, provider: PROVIDER });
  }
  const hint = hintFor(code, answer);
  return errorOfRefusal(answer, { what, code, hint, filler: NAMELESS });
}

const PROVIDER = 'an S3 server';
/** The SDK's name for an error without a body. */
const NAMELESS = 'UnknownError';

/** S3 returns its errors in XML. HEAD has no body, and answers many errors with 400. */
function isWithoutError(answer: Answer): answer is Answer & { readonly status: number } {
  return answer.code === NAMELESS && answer.status !== undefined && answer.status !== 400;
}

/** The code for one object's error in DeleteObjects. */
export function codeOfObject(code: string | undefined): ErrorCode {
  return classify(code ?? '', undefined);
}

/** The region of the bucket, if the error was that it is in another one. */
export function regionInError(error: unknown): string | undefined {
  return readAnswer(error).region;
}

interface Answer extends Refusal {
  readonly region: string | undefined;
  /** Our clock minus the server's, if that was the error. */
  readonly skewMs: number | undefined;
}

/** Fields of the SDK's errors. Every field may be missing. */
interface SDKError {
  readonly name?: unknown;
  readonly Region?: unknown;
  readonly ServerTime?: unknown;
  readonly RequestTime?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
  readonly $response?: { readonly headers?: Readonly<Record<string, string | undefined>> };
}

function readAnswer(error: unknown): Answer {
  const fields: SDKError = typeof error === 'object' && error !== null ? error : {};
  const status = fields.$metadata?.httpStatusCode;
  const headers = fields.$response?.headers ?? {};
  const system = readSystemError(error);
  return {
    code: (status === undefined && system.code) || (textOf(fields.name) ?? ''),
    message: system.message,
    status,
    requestID: fields.$metadata?.requestId,
    region: headers['x-amz-bucket-region'] ?? textOf(fields.Region),
    retryAfterMs: readRetryAfter(headers['retry-after'], headers['date']),
    skewMs: readSkew(fields),
  };
}

function readSkew(error: SDKError): number | undefined {
  const ours = textOf(error.RequestTime)?.replace(
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
    '$1-$2-$3T$4:$5:$6Z',
  );
  const skewMs = Date.parse(ours ?? '') - Date.parse(textOf(error.ServerTime) ?? '');
  return Number.isNaN(skewMs) ? undefined : skewMs;
}

function hintFor(code: ErrorCode, answer: Answer): string {
  if (answer.skewMs !== undefined) {
    const minutes = Math.round(Math.abs(answer.skewMs) / 60_000);
    const way = answer.skewMs > 0 ? 'ahead of' : 'behind';
    return `this machine's clock is ${minutes} minutes ${way} the server's: set it`;
  }
  if (answer.region !== undefined && isWrongRegion(answer.code, answer.status)) {
    return `the bucket is in ${answer.region}: set region`;
  }
  switch (code) {
    case 'REPLICA_PERMISSION_DENIED':
      return 'check the policy of these credentials';
    case 'REPLICA_UNAUTHENTICATED':
      return 'check access-key-id, secret-access-key and session-token, or where the AWS SDK finds them';
    case 'REPLICA_DESTINATION_NOT_FOUND':
      return 'check bucket, region and endpoint';
    default:
      return hintOfNetwork(answer);
  }
}

function hintOfNetwork(answer: Answer): string {
  const hint = hintOfConnection(answer);
  if (answer.code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `${hint}; if the bucket's name has dots, set force-path-style`;
  }
  return /NODE_EXTRA_CA_CERTS/.test(hint) ? `${hint}, or set skip-verify` : hint;
}

function isWrongRegion(code: string, status: number | undefined): boolean {
  return code === 'AuthorizationHeaderMalformed' || status === 301 || status === 307;
}

function classify(code: string, status: number | undefined): ErrorCode {
  switch (code) {
    case 'NoSuchKey':
    case 'NoSuchVersion':
    case 'NotFound': // HEAD
      return 'REPLICA_NOT_FOUND';
    case 'NoSuchBucket':
    case 'AuthorizationHeaderMalformed': // it is in another region
    case 'PermanentRedirect':
    case 'InvalidBucketName':
    case 'InvalidBucketState':
      return 'REPLICA_DESTINATION_NOT_FOUND';
    case 'AccessDenied':
    case 'AllAccessDisabled':
    case 'AccountProblem':
    case 'InvalidObjectState':
    case 'ObjectLocked':
      return 'REPLICA_PERMISSION_DENIED';
    case 'InvalidAccessKeyId':
    case 'XAdminUserNotFound': // versitygw, with 404
    case 'SignatureDoesNotMatch':
    case 'ExpiredToken':
    case 'InvalidToken':
    case 'TokenRefreshRequired':
    case 'CredentialsProviderError':
    case 'TokenProviderError':
      return 'REPLICA_UNAUTHENTICATED';
    case 'PreconditionFailed':
      return 'REPLICA_CONFLICT';
    case 'SlowDown':
    case 'Throttling':
    case 'ThrottlingException':
    case 'TooManyRequests':
    case 'RequestLimitExceeded':
      return 'REPLICA_RATE_LIMITED';
    case 'XMinioStorageFull':
    case 'QuotaExceeded':
    case 'InsufficientStorage':
      return 'REPLICA_FULL';
    case 'InvalidRange':
      return 'REPLICA_RANGE';
    case 'NotImplemented':
    case 'MethodNotAllowed':
    case 'EntityTooLarge':
    case 'EntityTooSmall':
    case 'KeyTooLongError':
      return 'REPLICA_UNSUPPORTED';
    case 'ConditionalRequestConflict': // undecided: another write of this name was in progress
    case 'OperationAborted':
    case 'InternalError':
    case 'ServiceUnavailable':
    case 'XMinioServerNotInitialized': // it has just been started
    case 'RequestTimeout':
    case 'RequestTimeTooSkewed': // the SDK corrects its clock for the next request
    case 'TimeoutError':
    // Corrupted in transit, or the upload was removed by someone else.
    case 'BadDigest':
    case 'IncompleteBody':
    case 'XAmzContentSHA256Mismatch':
    case 'NoSuchUpload':
    case 'InvalidPart':
      return 'REPLICA_UNAVAILABLE';
    default:
      return codeOfConnection(code) ?? byStatus(code, status);
  }
}

/** For responses without a known code: those to HEAD, and those of gateways. */
function byStatus(code: string, status: number | undefined): ErrorCode {
  switch (status) {
    case 301:
    case 307:
      return 'REPLICA_DESTINATION_NOT_FOUND';
    case 404:
      // An unknown code means that something other than the object was not found.
      return code === NAMELESS ? 'REPLICA_NOT_FOUND' : 'REPLICA_UNKNOWN';
    case 409:
      return 'REPLICA_UNAVAILABLE';
    case undefined:
    default:
      return codeOfStatus(status);
  }
}
