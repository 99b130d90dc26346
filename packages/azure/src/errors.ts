/** What Azure Blob Storage says, and what the network says, in our codes. */

import { codeOfConnection, ReplicationError, type ErrorCode } from '@sluice/core/backend';

/** Gives an error of the SDK a code. `what` says what was done, to what. */
export function toReplicationError(error: unknown, what: string): ReplicationError {
  const answer = readAnswer(error);
  const code = classify(answer);
  const hint = hintFor(code, answer);
  const message = `${what}: ${describe(answer)}${hint === '' ? '' : `; ${hint}`}`;
  return new ReplicationError(code, message, {
    cause: causeOf(answer),
    status: answer.status,
    retryAfterMs: answer.retryAfterMs,
  });
}

/** What is known of a failed request, and all that we keep of it. */
interface Answer {
  /** "BlobNotFound" of Azure, "ECONNREFUSED" of the system, a class name of the SDK. */
  readonly code: string;
  readonly message: string;
  readonly status: number | undefined;
  readonly requestID: string | undefined;
  readonly retryAfterMs: number | undefined;
}

/** What the SDK puts into its errors. Nothing of it is relied on to be there. */
interface SDKError {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly response?: { readonly headers?: { get(name: string): string | undefined } };
  /** Of an AggregateError: one for each address that was tried. */
  readonly errors?: readonly unknown[];
}

function readAnswer(error: unknown): Answer {
  const said: SDKError = typeof error === 'object' && error !== null ? error : {};
  const header = (name: string): string | undefined => said.response?.headers?.get(name);
  const [first] = said.errors ?? [];
  const system = text(said.code) ?? (first === undefined ? undefined : readAnswer(first).code);
  return {
    // The header is there where a body is not: HEAD, and downloads.
    code: header('x-ms-error-code') ?? system ?? text(said.name) ?? '',
    message: firstLine(text(said.message) ?? ''),
    status: typeof said.statusCode === 'number' ? said.statusCode : undefined,
    requestID: header('x-ms-request-id'),
    retryAfterMs: readRetryAfter(header('retry-after')),
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Azure adds the request and the time in lines of their own; the rest may be the whole answer. */
function firstLine(message: string): string {
  const [line = ''] = message.replace(/^[^]*<Message>/, '').split(/[\n<{]/);
  return line.trim().replace(/\.$/, '');
}

/** Seconds, or a date. */
function readRetryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return ms > 0 ? ms : undefined;
}

function describe({ code, message, status, requestID }: Answer): string {
  const said = [code, message].filter((part) => part !== '' && part !== 'RestError');
  const of = status === undefined ? [] : [`status ${status}`];
  if (requestID !== undefined) of.push(`request ${requestID}`);
  return `${said.join(': ') || 'failed'}${of.length > 0 ? ` (${of.join(', ')})` : ''}`;
}

/** The SDK's error itself is not kept: it holds the request, with its URL and the token in it. */
function causeOf({ code, message }: Answer): Error {
  const cause = new Error(message);
  cause.name = code === '' ? 'Error' : code;
  return cause;
}

function hintFor(code: ErrorCode, answer: Answer): string {
  switch (code) {
    case 'REPLICA_PERMISSION_DENIED':
      return answer.code === 'AuthorizationFailure'
        ? 'check key or token, its permissions and when it expires, and whether the firewall of the account lets this machine in'
        : 'the identity needs the role Storage Blob Data Contributor, or the token the permissions rwdl and c';
    case 'REPLICA_UNAUTHENTICATED':
      return 'check account-name, account-key or the token, when it expires, and this machine’s clock';
    case 'REPLICA_DESTINATION_NOT_FOUND':
      return 'check bucket and account-name: the container must be there before';
    case 'REPLICA_HOST_UNTRUSTED':
      return 'give its authority in NODE_EXTRA_CA_CERTS';
    default:
      return answer.code === 'ENOTFOUND' ? 'check account-name and endpoint' : '';
  }
}

function classify({ code, status }: Answer): ErrorCode {
  switch (code) {
    case 'BlobNotFound':
      return 'REPLICA_NOT_FOUND';
    case 'CannotVerifyCopySource': // it is gone since we looked, or its server has no time
      return status === 404 ? 'REPLICA_NOT_FOUND' : byStatus(status);
    case 'ContainerNotFound':
    case 'ContainerBeingDeleted':
    case 'ContainerDisabled':
    case 'ResourceNotFound':
    case 'InvalidResourceName':
      return 'REPLICA_DESTINATION_NOT_FOUND';
    case 'AuthorizationFailure':
    case 'AuthorizationPermissionMismatch':
    case 'AuthorizationProtocolMismatch':
    case 'AuthorizationSourceIPMismatch':
    case 'AuthorizationServiceMismatch':
    case 'AuthorizationResourceTypeMismatch':
    case 'InsufficientAccountPermissions':
    case 'KeyBasedAuthenticationNotPermitted':
    case 'PublicAccessNotPermitted':
    case 'AccountIsDisabled':
    case 'UnauthorizedBlobOverwrite':
    // Somebody protects this blob from us: a policy, a lease, a snapshot, the archive.
    case 'BlobImmutableDueToPolicy':
    case 'LeaseIdMissing':
    case 'LeaseIdMismatchWithBlobOperation':
    case 'SnapshotsPresent':
    case 'BlobArchived':
    case 'BlobBeingRehydrated':
      return 'REPLICA_PERMISSION_DENIED';
    case 'AuthenticationFailed':
    case 'InvalidAuthenticationInfo':
    case 'NoAuthenticationInformation':
    case 'CredentialUnavailableError':
    case 'AuthenticationRequiredError':
    case 'AuthenticationError':
    case 'AggregateAuthenticationError':
      return 'REPLICA_UNAUTHENTICATED';
    case 'BlobAlreadyExists':
    case 'ConditionNotMet':
    case 'TargetConditionNotMet':
      return 'REPLICA_CONFLICT';
    case 'SourceConditionNotMet':
      return 'REPLICA_CHANGED';
    case 'ServerBusy':
    case 'TooManyRequests':
    case 'IngressIsOverAccountLimit':
    case 'EgressIsOverAccountLimit':
      return 'REPLICA_RATE_LIMITED';
    case 'InvalidRange':
      return 'REPLICA_RANGE';
    case 'RequestBodyTooLarge':
    case 'BlockCountExceedsLimit':
    case 'FeatureVersionMismatch':
    case 'UnsupportedHeader':
    case 'UnsupportedHttpVerb':
    case 'InvalidHeaderValue':
    case 'InvalidBlobTier':
    case 'InvalidBlobType':
      return 'REPLICA_UNSUPPORTED';
    case 'InternalError':
    case 'OperationTimedOut':
    // What arrived was not what we sent, or another writer has tidied away our blocks.
    case 'Md5Mismatch':
    case 'IncompleteBody':
    case 'InvalidBlockList':
      return 'REPLICA_UNAVAILABLE';
    case 'REQUEST_SEND_ERROR':
      return 'REPLICA_UNAVAILABLE';
    default:
      return codeOfConnection(code) ?? byStatus(status);
  }
}

/** Where the answer has no code that we know: from what stands between us and Azure. */
function byStatus(status: number | undefined): ErrorCode {
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
    case 408:
    case 500:
    case 502:
    case 504:
      return 'REPLICA_UNAVAILABLE';
    case undefined:
    default:
      // An unknown refusal must be seen, not repeated.
      return 'REPLICA_UNKNOWN';
  }
}
