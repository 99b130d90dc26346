/** What S3 says, and what the network says, in our codes. */

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

/** Gives an error of the SDK a code. `what` says what was done, to what. */
export function toReplicationError(error: unknown, what: string): ReplicationError {
  if (error instanceof ForeignAnswerError)
    return errorOfForeignAnswer(error, { what, provider: PROVIDER });
  const answer = readAnswer(error);
  const code = classify(answer.code, answer.status);
  if (code === 'REPLICA_UNKNOWN' && isWordless(answer)) {
    const stranger = new ForeignAnswerError({ status: answer.status, lacks: 'no error in XML' });
    return errorOfForeignAnswer(stranger, { what, provider: PROVIDER });
  }
  const hint = hintFor(code, answer);
  return errorOfRefusal(answer, { what, code, hint, filler: NAMELESS });
}

const PROVIDER = 'an S3 server';
/** The SDK's name of an answer without a body. */
const NAMELESS = 'UnknownError';

/** S3 says why in XML. A HEAD has no body: it answers 400 to what it does not like. */
function isWordless(answer: Answer): answer is Answer & { readonly status: number } {
  return answer.code === NAMELESS && answer.status !== undefined && answer.status !== 400;
}

/** The code of one object's failure in DeleteObjects. */
export function codeOfObject(code: string | undefined): ErrorCode {
  return classify(code ?? '', undefined);
}

/** The region of the bucket, where an answer that refuses another one names it. */
export function regionNamedBy(error: unknown): string | undefined {
  return readAnswer(error).region;
}

interface Answer extends Refusal {
  readonly region: string | undefined;
  /** How much further our clock is than the server's, where it was refused for that. */
  readonly skewMs: number | undefined;
}

/** What the SDK puts into its errors. Nothing of it is relied on to be there. */
interface SDKError {
  readonly name?: unknown;
  readonly Region?: unknown;
  readonly ServerTime?: unknown;
  readonly RequestTime?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
  readonly $response?: { readonly headers?: Readonly<Record<string, string | undefined>> };
}

function readAnswer(error: unknown): Answer {
  const said: SDKError = typeof error === 'object' && error !== null ? error : {};
  const status = said.$metadata?.httpStatusCode;
  const headers = said.$response?.headers ?? {};
  const system = readSystemError(error);
  return {
    // A name that is a status stands for an answer without a body.
    code: (status === undefined && system.code) || (textOf(said.name) ?? ''),
    message: system.message,
    status,
    requestID: said.$metadata?.requestId,
    region: headers['x-amz-bucket-region'] ?? textOf(said.Region),
    retryAfterMs: readRetryAfter(headers['retry-after'], headers['date']),
    skewMs: readSkew(said),
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
  if (answer.region !== undefined && isOfRegion(answer.code, answer.status)) {
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
    return `${hint}; where the bucket's name has dots, set force-path-style`;
  }
  return /NODE_EXTRA_CA_CERTS/.test(hint) ? `${hint}, or set skip-verify` : hint;
}

function isOfRegion(code: string, status: number | undefined): boolean {
  return code === 'AuthorizationHeaderMalformed' || status === 301 || status === 307;
}

function classify(code: string, status: number | undefined): ErrorCode {
  switch (code) {
    case 'NoSuchKey':
    case 'NoSuchVersion':
    case 'NotFound': // of HEAD
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
    case 'ConditionalRequestConflict': // not decided: another write of this name was on its way
    case 'OperationAborted':
    case 'InternalError':
    case 'ServiceUnavailable':
    case 'XMinioServerNotInitialized': // it has just been started
    case 'RequestTimeout':
    case 'RequestTimeTooSkewed': // the SDK has noted the difference: its next request allows for it
    case 'TimeoutError':
    // What arrived was not what we sent, or an upload is gone that somebody tidied away.
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

/** Where the answer has no code that we know: of HEAD, and of what stands between us and S3. */
function byStatus(code: string, status: number | undefined): ErrorCode {
  switch (status) {
    case 301:
    case 307:
      return 'REPLICA_DESTINATION_NOT_FOUND';
    case 404:
      // With a code that we do not know, something else than the object was not found.
      return code === NAMELESS ? 'REPLICA_NOT_FOUND' : 'REPLICA_UNKNOWN';
    case 409:
      return 'REPLICA_UNAVAILABLE';
    case undefined:
    default:
      return codeOfStatus(status);
  }
}
