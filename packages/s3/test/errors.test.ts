import { inspect } from 'node:util';
import type { ErrorCode } from '@sluice/core/backend';
import { describe, expect, test } from 'vitest';
import { codeOfObject, toReplicationError } from '../src/errors.ts';

/** An error of the SDK. */
function answered(
  name: string,
  httpStatusCode: number,
  more: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Error {
  return Object.assign(new Error(`${name} happened`), {
    name,
    $metadata: { httpStatusCode, requestId: 'R1' },
    $response: { headers },
    ...more,
  });
}

const ANSWERS: [string, number, ErrorCode][] = [
  ['NoSuchKey', 404, 'REPLICA_NOT_FOUND'],
  ['NotFound', 404, 'REPLICA_NOT_FOUND'],
  ['NoSuchBucket', 404, 'REPLICA_DESTINATION_NOT_FOUND'],
  ['PermanentRedirect', 301, 'REPLICA_DESTINATION_NOT_FOUND'],
  ['AuthorizationHeaderMalformed', 400, 'REPLICA_DESTINATION_NOT_FOUND'],
  ['AccessDenied', 403, 'REPLICA_PERMISSION_DENIED'],
  ['InvalidAccessKeyId', 403, 'REPLICA_UNAUTHENTICATED'],
  ['XAdminUserNotFound', 404, 'REPLICA_UNAUTHENTICATED'],
  ['NoSuchThing', 404, 'REPLICA_UNKNOWN'],
  ['SignatureDoesNotMatch', 403, 'REPLICA_UNAUTHENTICATED'],
  ['ExpiredToken', 400, 'REPLICA_UNAUTHENTICATED'],
  ['SlowDown', 503, 'REPLICA_RATE_LIMITED'],
  ['TooManyRequests', 429, 'REPLICA_RATE_LIMITED'],
  ['PreconditionFailed', 412, 'REPLICA_CONFLICT'],
  ['ConditionalRequestConflict', 409, 'REPLICA_UNAVAILABLE'],
  ['InternalError', 500, 'REPLICA_UNAVAILABLE'],
  ['XMinioServerNotInitialized', 503, 'REPLICA_UNAVAILABLE'],
  ['RequestTimeTooSkewed', 403, 'REPLICA_UNAVAILABLE'],
  ['XMinioStorageFull', 507, 'REPLICA_FULL'],
  ['InvalidRange', 416, 'REPLICA_RANGE'],
  ['NotImplemented', 501, 'REPLICA_UNSUPPORTED'],
  // Known responses without a body.
  ['UnknownError', 403, 'REPLICA_PERMISSION_DENIED'],
  ['UnknownError', 404, 'REPLICA_NOT_FOUND'],
  ['UnknownError', 412, 'REPLICA_CONFLICT'],
  ['UnknownError', 429, 'REPLICA_RATE_LIMITED'],
  ['UnknownError', 502, 'REPLICA_UNAVAILABLE'],
  ['UnknownError', 503, 'REPLICA_RATE_LIMITED'],
  ['UnknownError', 507, 'REPLICA_FULL'],
  ['UnknownError', 400, 'REPLICA_UNKNOWN'], // of HEAD
  ['UnknownError', 520, 'REPLICA_UNAVAILABLE'],
];

test.each(ANSWERS)('%s (%i) is %s', (name, status, code) => {
  const error = toReplicationError(answered(name, status), 'write x to s3://b');
  expect(error.code).toBe(code);
  expect(error.status).toBe(status);
  expect(error.message).toMatch(/^write x to s3:\/\/b: /);
});

test.each([304, 410, 418, 451])('a %i without a message is not from S3', (status) => {
  const { code, message } = toReplicationError(answered('UnknownError', status), 'list x');
  expect(code).toBe('REPLICA_UNAVAILABLE');
  expect(message).toMatch(/^list x: this does not look like an S3 server: .*; check endpoint/);
});

test.each([
  ['ECONNREFUSED', 'REPLICA_UNAVAILABLE'],
  ['ECONNRESET', 'REPLICA_UNAVAILABLE'],
  ['ENOTFOUND', 'REPLICA_UNAVAILABLE'],
  ['EPIPE', 'REPLICA_UNAVAILABLE'],
  ['ETIMEDOUT', 'REPLICA_UNAVAILABLE'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'REPLICA_HOST_UNTRUSTED'],
  ['CERT_HAS_EXPIRED', 'REPLICA_HOST_UNTRUSTED'],
])('a connection that ends in %s is %s', (code, expected) => {
  const error = toReplicationError(Object.assign(new Error(`socket: ${code}`), { code }), 'open x');
  expect(error.code).toBe(expected);
  expect(error.message).toContain(code);
});

test('an AggregateError of several addresses gets the code of the first', () => {
  const each = Object.assign(new Error('connect ECONNREFUSED ::1:9'), { code: 'ECONNREFUSED' });
  const error = toReplicationError(new AggregateError([each]), 'open x');
  expect(error.code).toBe('REPLICA_UNAVAILABLE');
  expect(error.message).toContain('::1:9');
});

test('a timeout of the SDK can be retried', () => {
  const error = Object.assign(new Error('no connection within 10000 ms'), { name: 'TimeoutError' });
  expect(toReplicationError(error, 'open x').code).toBe('REPLICA_UNAVAILABLE');
});

test('an unknown error is not retried', () => {
  const error = toReplicationError(new Error('a bug'), 'open x');
  expect(error.retryable).toBe(false);
  expect(error.message).toContain('a bug');
});

describe('a message has the next step', () => {
  test('for a wrong clock, with the difference', () => {
    const skewed = answered('RequestTimeTooSkewed', 403, {
      RequestTime: '20261123T102000Z',
      ServerTime: '2026-11-23T10:00:00Z',
    });
    const { message } = toReplicationError(skewed, 'open x');
    expect(message).toContain("this machine's clock is 20 minutes ahead of the server's: set it");
  });

  test('for a wrong region, with the right one', () => {
    const inBody = answered('AuthorizationHeaderMalformed', 400, { Region: 'eu-west-3' });
    const inHeader = answered('UnknownError', 301, {}, { 'x-amz-bucket-region': 'eu-west-3' });
    for (const error of [inBody, inHeader]) {
      const { message } = toReplicationError(error, 'open x');
      expect(message).toContain('the bucket is in eu-west-3: set region');
    }
  });

  test('and the ID of the request', () => {
    const { message } = toReplicationError(answered('AccessDenied', 403), 'open x');
    expect(message).toContain('status 403, request R1');
  });
});

test('the delay that the server asks for is kept', () => {
  const date = 'Thu, 01 Jan 2026 00:00:00 GMT';
  const after = (header: string): number | undefined => {
    const answer = answered('SlowDown', 503, {}, { date, 'retry-after': header });
    return toReplicationError(answer, 'x').retryAfterMs;
  };
  expect(after('7')).toBe(7_000);
  expect(after('Thu, 01 Jan 2026 00:01:00 GMT')).toBe(60_000);
  expect(after('soon')).toBeUndefined();
});

test('an error does not contain the parts of the request that the response repeats', () => {
  const error = answered('SignatureDoesNotMatch', 403, {
    CanonicalRequest: 'PUT\nx-amz-security-token:hidden-token',
    StringToSign: 'hidden-token',
  });
  const kept = inspect(toReplicationError(error, 'open x'), { depth: 9, showHidden: true });
  expect(kept).not.toContain('hidden-token');
});

test('each object of DeleteObjects gets its own code', () => {
  expect(codeOfObject('AccessDenied')).toBe('REPLICA_PERMISSION_DENIED');
  expect(codeOfObject('NoSuchKey')).toBe('REPLICA_NOT_FOUND');
  expect(codeOfObject('InternalError')).toBe('REPLICA_UNAVAILABLE');
  expect(codeOfObject(undefined)).toBe('REPLICA_UNKNOWN');
});
