/** What Azure Blob Storage says, and what the network says, in our codes. */

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
import { foreign, isAzure, type RawResponse } from './answers.ts';

/** Gives an error of the SDK a code. `what` says what was done, to what. */
export function toReplicationError(error: unknown, what: string): ReplicationError {
  const stranger = error instanceof ForeignAnswerError ? error : readStranger(error);
  if (stranger !== undefined) return errorOfForeignAnswer(stranger, { what, provider: PROVIDER });
  const answer = readAnswer(error);
  const code = classify(answer);
  const hint = hintFor(code, answer);
  return errorOfRefusal(answer, { what, code, hint, filler: 'RestError' });
}

const PROVIDER = 'Azure Blob Storage';

/** A refusal that is not Azure's. What has 500 and more may be anybody's who has no time. */
function readStranger(error: unknown): ForeignAnswerError | undefined {
  const { response } = (typeof error === 'object' && error !== null ? error : {}) as SDKError;
  if (response?.status === undefined || response.status >= 500) return undefined;
  if (isAzure(response) || response.headers.get('x-ms-error-code') !== undefined) return undefined;
  return foreign({ ...response, status: response.status }, '');
}

/** What the SDK puts into its errors. Nothing of it is relied on to be there. */
interface SDKError {
  readonly name?: unknown;
  readonly statusCode?: unknown;
  readonly response?: Partial<Pick<RawResponse, 'status'>> & Omit<RawResponse, 'status'>;
}

function readAnswer(error: unknown): Refusal {
  const said: SDKError = typeof error === 'object' && error !== null ? error : {};
  const header = (name: string): string | undefined => said.response?.headers.get(name);
  const system = readSystemError(error);
  return {
    // The header is there where a body is not: HEAD, and downloads.
    code: (header('x-ms-error-code') ?? system.code) || (textOf(said.name) ?? ''),
    message: firstLine(system.message),
    status: typeof said.statusCode === 'number' ? said.statusCode : undefined,
    requestID: header('x-ms-request-id'),
    retryAfterMs: readRetryAfter(header('retry-after'), header('date')),
  };
}

/** Azure adds the request and the time in lines of their own; the rest may be the whole answer. */
function firstLine(message: string): string {
  const [line = ''] = message.replace(/^[^]*<Message>/, '').split(/[\n<{]/);
  return line.trim().replace(/\.$/, '');
}

function hintFor(code: ErrorCode, answer: Refusal): string {
  switch (code) {
    case 'REPLICA_PERMISSION_DENIED':
      return answer.code === 'AuthorizationFailure'
        ? 'check key or token, its permissions and when it expires, and whether the firewall of the account lets this machine in'
        : 'the identity needs the role Storage Blob Data Contributor, or the token the permissions rwdl and c';
    case 'REPLICA_UNAUTHENTICATED':
      return 'check account-name, account-key or the token, when it expires, and this machine’s clock';
    case 'REPLICA_DESTINATION_NOT_FOUND':
      return 'check bucket and account-name: the container must be there before';
    default:
      return answer.code === 'ENOTFOUND'
        ? 'check account-name and endpoint'
        : hintOfConnection(answer);
  }
}

function classify({ code, status }: Refusal): ErrorCode {
  switch (code) {
    case 'BlobNotFound':
      return 'REPLICA_NOT_FOUND';
    case 'CannotVerifyCopySource': // it is gone since we looked, or its server has no time
      return status === 404 ? 'REPLICA_NOT_FOUND' : codeOfStatus(status);
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
      return codeOfConnection(code) ?? codeOfStatus(status);
  }
}
