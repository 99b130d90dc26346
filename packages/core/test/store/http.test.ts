import { describe, expect, test } from 'vitest';
import { rangeHeader, sizeOfContentRange } from '../../src/store/http/range.ts';
import {
  type Refusal,
  codeOfStatus,
  errorOfRefusal,
  readRetryAfter,
} from '../../src/store/http/refusal.ts';

test('the end of an HTTP range is inclusive', () => {
  expect(rangeHeader({ start: 5, end: 10 })).toBe('bytes=5-9');
  expect(rangeHeader({ start: 5 })).toBe('bytes=5-');
});

test('the size of the whole object follows the range', () => {
  expect(sizeOfContentRange('bytes 0-9/1234')).toBe(1234);
  for (const unsaid of ['bytes 0-9/*', '', null, undefined]) {
    expect(sizeOfContentRange(unsaid)).toBeUndefined();
  }
});

describe('a refusal', () => {
  const refusal: Refusal = {
    code: 'AccessDenied',
    message: 'Access Denied.',
    status: 403,
    requestID: 'R1',
    retryAfterMs: 1_000,
  };
  const code = 'REPLICA_PERMISSION_DENIED';
  const meaning = { what: 'write x', code, hint: 'check the policy', filler: 'None' } as const;

  test('has a message with the call, the response and the next step', () => {
    const error = errorOfRefusal(refusal, meaning);
    expect(error).toMatchObject({ code, status: 403, retryAfterMs: 1_000 });
    expect(error.message).toBe(
      'write x: AccessDenied: Access Denied (status 403, request R1); check the policy',
    );
    expect(error.cause).toMatchObject({ name: 'AccessDenied', message: 'Access Denied.' });
  });

  test('does not repeat the code', () => {
    const [system, message] = ['ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:1'];
    const refused = { ...refusal, code: system, message, status: undefined, requestID: undefined };
    expect(errorOfRefusal(refused, { ...meaning, hint: '' }).message).toBe(`write x: ${message}`);
  });

  test.each([
    'REPLICA_UNAVAILABLE',
    'REPLICA_RATE_LIMITED',
    'REPLICA_UNSUPPORTED',
    'REPLICA_UNKNOWN',
  ] as const)('has a default next step: %s', (each) => {
    const error = errorOfRefusal(refusal, { ...meaning, code: each, hint: '' });
    expect(error.message).toMatch(/\(status 403, request R1\); \w.{20}/);
  });

  test('without any detail has at least "failed"', () => {
    const unsaid = {
      ...refusal,
      code: 'None',
      message: '',
      status: undefined,
      requestID: undefined,
    };
    expect(errorOfRefusal(unsaid, { ...meaning, hint: '' }).message).toBe('write x: failed');
  });
});

test('Retry-After is in seconds, or a date relative to the Date of the response', () => {
  const date = 'Thu, 01 Jan 2026 00:00:00 GMT';
  expect(readRetryAfter('3', date)).toBe(3_000);
  expect(readRetryAfter('3', undefined)).toBe(3_000);
  expect(readRetryAfter('Thu, 01 Jan 2026 00:00:05 GMT', date)).toBe(5_000);
  for (const none of ['0', 'soon', 'Wed, 31 Dec 2025 23:59:00 GMT', null, undefined]) {
    expect(readRetryAfter(none, date)).toBeUndefined();
  }
  expect(readRetryAfter('Thu, 01 Jan 2026 00:00:05 GMT', undefined)).toBeUndefined();
});

test('temporary statuses of servers and gateways are retryable', () => {
  for (const status of [500, 502, 504, 511, 520, 522, 530, 599]) {
    expect(codeOfStatus(status), String(status)).toBe('REPLICA_UNAVAILABLE');
  }
  expect([501, 507, 418].map(codeOfStatus)).toEqual([
    'REPLICA_UNSUPPORTED',
    'REPLICA_FULL',
    'REPLICA_UNKNOWN',
  ]);
});
