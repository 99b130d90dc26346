import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { refusalToError, thrownToError } from '../src/errors.ts';

/** An error of Google's JSON API. */
function body(reason: string, message: string): string {
  return JSON.stringify({ error: { code: 0, message, errors: [{ reason, message }] } });
}

const NO_OBJECT = 'No such object: b/db/ltx/0/x.ltx';
const NO_BUCKET = 'The specified bucket does not exist.';
const BAD_MD5 = 'Provided MD5 hash "a" doesn\'t match calculated MD5 hash "b".';

test.each([
  [400, body('invalid', 'Invalid bucket name: B_'), 'REPLICA_DESTINATION_NOT_FOUND'],
  [400, body('invalid', BAD_MD5), 'REPLICA_UNAVAILABLE'],
  [400, body('badRequest', 'Bad Request'), 'REPLICA_UNKNOWN'],
  [401, body('authError', 'Invalid Credentials'), 'REPLICA_UNAUTHENTICATED'],
  [
    403,
    body('forbidden', 'x does not have storage.objects.get access'),
    'REPLICA_PERMISSION_DENIED',
  ],
  [403, body('retentionPolicyNotMet', 'not yet'), 'REPLICA_PERMISSION_DENIED'],
  [403, body('userRateLimitExceeded', 'slow down'), 'REPLICA_RATE_LIMITED'],
  [404, body('notFound', NO_OBJECT), 'REPLICA_NOT_FOUND'],
  [404, NO_OBJECT, 'REPLICA_NOT_FOUND'],
  [404, body('notFound', NO_BUCKET), 'REPLICA_DESTINATION_NOT_FOUND'],
  [404, NO_BUCKET, 'REPLICA_DESTINATION_NOT_FOUND'],
  [408, '', 'REPLICA_UNAVAILABLE'],
  [409, body('conflict', 'another write'), 'REPLICA_UNAVAILABLE'],
  [410, '', 'REPLICA_UNAVAILABLE'],
  [412, body('conditionNotMet', 'did not hold'), 'REPLICA_CONFLICT'],
  [413, '', 'REPLICA_UNSUPPORTED'],
  [416, 'The requested range cannot be satisfied.', 'REPLICA_RANGE'],
  [418, body('teapot', 'short'), 'REPLICA_UNKNOWN'],
  [520, '', 'REPLICA_UNAVAILABLE'],
  [429, body('rateLimitExceeded', 'slow down'), 'REPLICA_RATE_LIMITED'],
  [500, '<!DOCTYPE html><html>', 'REPLICA_UNAVAILABLE'],
  [501, '', 'REPLICA_UNSUPPORTED'],
  [503, body('backendError', 'try again'), 'REPLICA_UNAVAILABLE'],
])('%i %s is %s', (status, text, code) => {
  const error = refusalToError({ status, body: text, about: 'object' }, 'open x');
  expect(error).toMatchObject({ code, status });
  expect(error.message).toMatch(/^open x: .*\(status \d+\)/);
  expect(error.message).not.toContain('<');
});

test.each([202, 204, 206, 304, 307, 400, 418, 451])(
  'a %i without a message is not from Google',
  (status) => {
    const refusal = { status, body: '', about: 'bucket' } as const;
    const { code, message } = refusalToError(refusal, 'list x');
    expect(code).toBe('REPLICA_UNAVAILABLE');
    expect(message).toMatch(
      /^list x: this does not look like Google Cloud Storage: .*; check endpoint/,
    );
  },
);

test('a 404 without a message is about the thing that was requested', () => {
  const about = (what: 'bucket' | 'object' | 'session'): string =>
    refusalToError({ status: 404, body: 'Not Found', about: what }, 'x').code;
  expect(about('object')).toBe('REPLICA_NOT_FOUND');
  expect(about('bucket')).toBe('REPLICA_DESTINATION_NOT_FOUND');
  expect(about('session')).toBe('REPLICA_UNAVAILABLE');
});

test('the delay that the server asks for is kept, in seconds or as a date', () => {
  const date = 'Thu, 01 Jan 2026 00:00:00 GMT';
  const wait = (retryAfter: string): number | undefined =>
    refusalToError({ status: 503, body: '', about: 'object', retryAfter, date }, 'x').retryAfterMs;
  expect(wait('7')).toBe(7_000);
  expect(wait('Thu, 01 Jan 2026 00:01:00 GMT')).toBe(60_000);
  expect(wait('nonsense')).toBeUndefined();
});

const withCode = (code: string, message = 'it failed'): Error =>
  Object.assign(new Error(message), { code });

test.each([
  [withCode('ECONNRESET'), 'REPLICA_UNAVAILABLE'],
  [withCode('EAI_AGAIN'), 'REPLICA_UNAVAILABLE'],
  [withCode('ERR_STREAM_PREMATURE_CLOSE', 'Premature close'), 'REPLICA_UNAVAILABLE'],
  [new Error('fetch', { cause: withCode('ETIMEDOUT') }), 'REPLICA_UNAVAILABLE'],
  [new AggregateError([withCode('ECONNREFUSED')], ''), 'REPLICA_UNAVAILABLE'],
  [withCode('DEPTH_ZERO_SELF_SIGNED_CERT'), 'REPLICA_HOST_UNTRUSTED'],
  [withCode('ERR_TLS_CERT_ALTNAME_INVALID'), 'REPLICA_HOST_UNTRUSTED'],
  [new Error('Could not load the default credentials. Browse to …'), 'REPLICA_UNAUTHENTICATED'],
  [
    Object.assign(new Error('invalid_grant'), { response: { status: 400 } }),
    'REPLICA_UNAUTHENTICATED',
  ],
  [Object.assign(new Error('token'), { response: { status: 503 } }), 'REPLICA_UNAVAILABLE'],
  [withCode('ERR_INVALID_ARG_TYPE'), 'REPLICA_UNKNOWN'],
  ['a text', 'REPLICA_UNKNOWN'],
])('%s is %s', (thrown, code) => {
  const error = thrownToError(thrown, 'open x');
  expect(error.code).toBe(code);
  expect(error.message).toMatch(/^open x: \S/);
});

test('an error contains neither the request nor the ID of an upload', () => {
  const url = 'https://storage.googleapis.com/upload/b?upload_id=hidden-id';
  const thrown = Object.assign(withCode('ECONNRESET', `request to ${url} failed`), {
    config: { headers: { authorization: 'Bearer hidden-token' } },
  });
  const printed = inspect(thrownToError(thrown, 'write x'), { depth: 9 });
  expect(printed).toContain('storage.googleapis.com/upload/b failed');
  expect(printed).not.toMatch(/hidden/);
});
