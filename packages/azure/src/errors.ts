/**
 * Error codes for errors of Azure Blob Storage, of the SDK and of the network, and how a response is
 * recognized as Azure's. Any other response is REPLICA_UNAVAILABLE: never a success, never an empty
 * listing.
 *
 *  response to                            has
 *  all                                    x-ms-request-id, and the status that the SDK expects
 *  Put Blob, Put Block List, Copy Blob    an ETag
 *  Get Blob, Get Blob Properties          an ETag, last-modified
 *  List Blobs                             a complete EnumerationResults, with Blobs and NextMarker
 *
 * Redirects are not followed (container.ts): Azure sends none.
 */

import type { RequestPolicy, RequestPolicyFactory } from '@azure/storage-blob';
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
  rootOfXML,
  textOf,
  type Refusal,
} from '@sluice/core/backend/http';

/** Every field may be missing. */
interface RawResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | undefined };
  readonly bodyAsText?: string | null | undefined;
}

/** Checks every response that the SDK considers a success. Throws ForeignAnswerError. */
export const checkResponses: RequestPolicyFactory = {
  create: (next): RequestPolicy => ({
    async sendRequest(request) {
      const response = await next.sendRequest(request);
      try {
        checkResponse(request, response);
      } catch (error) {
        const { readableStreamBody: body } = response;
        if (body !== undefined && 'destroy' in body) (body as { destroy(): void }).destroy();
        throw error;
      }
      return response;
    },
  }),
};

function checkResponse(
  { method, url }: { readonly method: string; readonly url: string },
  response: RawResponse,
): void {
  const { headers } = response;
  const comp = new URL(url).searchParams.get('comp');
  if (!isAzure(response)) throw foreign(response, 'no x-ms-request-id');
  if (comp === 'list') checkListing(response);
  const isOfBlob = comp === null || comp === 'blocklist';
  if (isOfBlob && method !== 'DELETE' && !headers.get('etag')) throw foreign(response, 'no ETag');
  const isRead = method === 'GET' || method === 'HEAD';
  const modifiedAt = Date.parse(headers.get('last-modified') ?? '');
  if (isOfBlob && isRead && Number.isNaN(modifiedAt)) throw foreign(response, 'no Last-Modified');
}

/** Every page has a NextMarker; it is empty in the last one. */
function checkListing(response: RawResponse): void {
  const text = response.bodyAsText ?? '';
  if (rootOfXML(text) !== 'EnumerationResults') throw foreign(response, 'no EnumerationResults');
  for (const element of ['Blobs', 'NextMarker']) {
    if (!new RegExp(`<${element}[\\s/>]`).test(text)) throw foreign(response, `no ${element}`);
  }
}

function isAzure({ headers }: Pick<RawResponse, 'headers'>): boolean {
  return headers.get('x-ms-request-id') !== undefined;
}

function foreign({ status, headers, bodyAsText }: RawResponse, lacks: string): ForeignAnswerError {
  return new ForeignAnswerError({
    status,
    contentType: headers.get('content-type'),
    location: headers.get('location'),
    text: bodyAsText ?? undefined,
    lacks,
  });
}

/** Converts an error of the SDK. `what` is the operation: "write … to abs://b". */
export function toReplicationError(error: unknown, what: string): ReplicationError {
  const other = error instanceof ForeignAnswerError ? error : readForeignRefusal(error);
  if (other !== undefined) return errorOfForeignAnswer(other, { what, provider: PROVIDER });
  const answer = readRefusal(error);
  const code = classify(answer);
  const hint = hintFor(code, answer);
  return errorOfRefusal(answer, { what, code, hint, filler: 'RestError' });
}

const PROVIDER = 'Azure Blob Storage';

/** A refusal that is not from Azure. 500 and above may come from any gateway, and can be retried. */
function readForeignRefusal(error: unknown): ForeignAnswerError | undefined {
  const { response } = (typeof error === 'object' && error !== null ? error : {}) as SDKError;
  if (response?.status === undefined || response.status >= 500) return undefined;
  if (isAzure(response) || response.headers.get('x-ms-error-code') !== undefined) return undefined;
  return foreign({ ...response, status: response.status }, '');
}

/** Fields of the SDK's errors. Every field may be missing. */
interface SDKError {
  readonly name?: unknown;
  readonly statusCode?: unknown;
  readonly response?: Partial<Pick<RawResponse, 'status'>> & Omit<RawResponse, 'status'>;
}

function readRefusal(error: unknown): Refusal {
  const fields: SDKError = typeof error === 'object' && error !== null ? error : {};
  const header = (name: string): string | undefined => fields.response?.headers.get(name);
  const system = readSystemError(error);
  return {
    // Responses to HEAD and downloads have no body, only the header.
    code: (header('x-ms-error-code') ?? system.code) || (textOf(fields.name) ?? ''),
    message: firstLine(system.message),
    status: typeof fields.statusCode === 'number' ? fields.statusCode : undefined,
    requestID: header('x-ms-request-id'),
    retryAfterMs: readRetryAfter(header('retry-after'), header('date')),
  };
}

/** Further lines are the request ID and the time, or the entire body. */
function firstLine(message: string): string {
  const [line = ''] = message.replace(/^[^]*<Message>/, '').split(/[\n<{]/);
  return line.trim().replace(/\.$/, '');
}

function hintFor(code: ErrorCode, answer: Refusal): string {
  switch (code) {
    case 'REPLICA_PERMISSION_DENIED':
      return answer.code === 'AuthorizationFailure'
        ? 'check key or token, its permissions and its expiry, and whether the firewall of the account allows this machine'
        : 'an identity needs the role Storage Blob Data Contributor, a token the permissions rcwdl';
    case 'REPLICA_UNAUTHENTICATED':
      return 'check account-name, account-key or the token, its expiry, and this machine’s clock';
    case 'REPLICA_DESTINATION_NOT_FOUND':
      return 'check bucket and account-name: the container must already exist';
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
    case 'CannotVerifyCopySource': // deleted since the look-up, or its server is busy
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
    // The blob is protected by a policy, a lease, a snapshot or the archive tier.
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
    // Corrupted in transit, or another writer removed our blocks.
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
