import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { toReplicationError } from '../src/errors.ts';

const SECRET = 'c2lnbmF0dXJl';

interface Said {
  readonly code?: string;
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly message?: string;
}

/** An error of the SDK, with the request that it contains. */
function sdkError({
  code,
  status,
  headers = {},
  message = 'No.\nRequestId:1\nTime:2',
}: Said): Error {
  return Object.assign(new Error(message), {
    name: 'RestError',
    code,
    statusCode: status,
    request: { url: `https://account.blob.core.windows.net/b/x?sig=${SECRET}` },
    ...(status !== undefined && {
      response: { headers: { get: (name: string) => headers[name] } },
    }),
  });
}

describe('an error of Azure gets a code', () => {
  test.each([
    ['BlobNotFound', 404, 'REPLICA_NOT_FOUND'],
    ['CannotVerifyCopySource', 404, 'REPLICA_NOT_FOUND'],
    ['CannotVerifyCopySource', 403, 'REPLICA_PERMISSION_DENIED'],
    ['ContainerNotFound', 404, 'REPLICA_DESTINATION_NOT_FOUND'],
    ['ContainerBeingDeleted', 409, 'REPLICA_DESTINATION_NOT_FOUND'],
    ['AuthorizationPermissionMismatch', 403, 'REPLICA_PERMISSION_DENIED'],
    ['AuthorizationFailure', 403, 'REPLICA_PERMISSION_DENIED'],
    ['LeaseIdMissing', 412, 'REPLICA_PERMISSION_DENIED'],
    ['BlobImmutableDueToPolicy', 409, 'REPLICA_PERMISSION_DENIED'],
    ['AuthenticationFailed', 403, 'REPLICA_UNAUTHENTICATED'],
    ['NoAuthenticationInformation', 401, 'REPLICA_UNAUTHENTICATED'],
    ['BlobAlreadyExists', 409, 'REPLICA_CONFLICT'],
    ['ConditionNotMet', 412, 'REPLICA_CONFLICT'],
    ['ServerBusy', 503, 'REPLICA_RATE_LIMITED'],
    ['InvalidRange', 416, 'REPLICA_RANGE'],
    ['Md5Mismatch', 400, 'REPLICA_UNAVAILABLE'],
    ['InvalidBlockList', 400, 'REPLICA_UNAVAILABLE'],
    ['InternalError', 500, 'REPLICA_UNAVAILABLE'],
    ['RequestBodyTooLarge', 413, 'REPLICA_UNSUPPORTED'],
    ['SomethingNew', 418, 'REPLICA_UNKNOWN'],
    ['SomethingNew', 409, 'REPLICA_UNKNOWN'],
    [undefined, 401, 'REPLICA_UNAUTHENTICATED'],
    [undefined, 403, 'REPLICA_PERMISSION_DENIED'],
    [undefined, 404, 'REPLICA_UNKNOWN'],
    [undefined, 429, 'REPLICA_RATE_LIMITED'],
    [undefined, 502, 'REPLICA_UNAVAILABLE'],
    ['CERT_HAS_EXPIRED', undefined, 'REPLICA_HOST_UNTRUSTED'],
    ['ECONNRESET', undefined, 'REPLICA_UNAVAILABLE'],
    ['ENOTFOUND', undefined, 'REPLICA_UNAVAILABLE'],
    ['EWHATEVER', undefined, 'REPLICA_UNKNOWN'],
  ] as const)('%s with %s is %s', (code, status, expected) => {
    const fields = { ...(code !== undefined && { code }), ...(status !== undefined && { status }) };
    expect(toReplicationError(sdkError(fields), 'read x').code).toBe(expected);
  });

  test('from a header if the response has no body', () => {
    const headers = { 'x-ms-error-code': 'BlobNotFound', 'x-ms-request-id': 'r-1' };
    const error = toReplicationError(sdkError({ status: 404, headers, message: '' }), 'read x');
    expect(error.code).toBe('REPLICA_NOT_FOUND');
    expect(error.message).toBe('read x: BlobNotFound (status 404, request r-1)');
  });

  test('from the first attempt if several addresses were tried', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const error = toReplicationError(new AggregateError([refused], ''), 'read x');
    expect(error.code).toBe('REPLICA_UNAVAILABLE');
  });
});

test('the message has the first line of the response and the next step', () => {
  const fields = {
    code: 'AuthorizationPermissionMismatch',
    status: 403,
    message: 'Not you.\nTime:1',
  };
  const { message, status } = toReplicationError(sdkError(fields), 'write x to abs://b');
  expect(message).toMatch(/^write x to abs:\/\/b: AuthorizationPermissionMismatch: Not you \(/);
  expect(message).toContain('the role Storage Blob Data Contributor');
  expect(status).toBe(403);
});

test('the delay that the server asks for is kept', () => {
  const fields = { code: 'ServerBusy', status: 503, headers: { 'retry-after': '7' } };
  expect(toReplicationError(sdkError(fields), 'read x').retryAfterMs).toBe(7_000);
});

test('neither message nor cause contains the request with its token', () => {
  for (const code of ['AuthenticationFailed', 'BlobNotFound', 'EPIPE', undefined]) {
    const error = toReplicationError(sdkError({ ...(code !== undefined && { code }) }), 'read x');
    expect(inspect(error, { depth: 12, showHidden: true })).not.toContain(SECRET);
  }
});
