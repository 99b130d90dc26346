/**
 * AWS Signature Version 4 in the Authorization header.
 *
 * A request is valid if and only if (1) the access key is known, (2) its date is within 15 minutes of our
 * clock, (3) the scope has our region and `s3`, (4) host and every sent x-amz-* header are signed, (5) the
 * signature over method, path, query, those headers and x-amz-content-sha256 matches, and (6) the session
 * token belongs to the key.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { S3Error } from './errors.ts';
import type { Credentials, Settings } from './options.ts';
import type { Target } from './request.ts';

const SKEW_MS_MAX = 15 * 60 * 1000;

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/,]+)\/(\d{8})\/([^/,]*)\/([^/,]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

/** Returns the credentials of the request. Throws S3's error if it is invalid. */
export function authenticate(
  request: IncomingMessage,
  target: Target,
  settings: Settings,
): Credentials {
  const header = request.headers.authorization;
  if (header === undefined) throw new S3Error('AccessDenied', 'Access Denied');
  const match = AUTHORIZATION.exec(header);
  if (match === null) {
    throw new S3Error('AuthorizationHeaderMalformed', 'The authorization header is malformed.');
  }
  const [, accessKeyId = '', date = '', region = '', service = '', names = '', signature = ''] =
    match;

  const credentials = settings.credentials.find((known) => known.accessKeyId === accessKeyId);
  if (credentials === undefined) {
    throw new S3Error(
      'InvalidAccessKeyId',
      'The AWS Access Key Id you provided does not exist in our records.',
    );
  }
  const timestamp = headerOf(request, 'x-amz-date');
  checkClock(timestamp, settings.now());
  checkScope(region, service, settings.region);
  const signed = names.split(';');
  checkSignedHeaders(request, signed);

  const canonical = canonicalRequest(request, target, signed);
  const scope = `${date}/${region}/${service}/aws4_request`;
  const toSign = `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${sha256(canonical)}`;
  const expected = hmac(signingKey(credentials.secretAccessKey, date, region, service), toSign);
  if (!timingSafeEqual(expected, Buffer.from(signature, 'hex'))) {
    throw new S3Error(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
      // Like AWS, to test that clients do not print these fields.
      {
        fields: { AWSAccessKeyId: accessKeyId, StringToSign: toSign, CanonicalRequest: canonical },
      },
    );
  }
  checkToken(request, credentials, settings.now());
  return credentials;
}

function checkClock(timestamp: string, now: number): void {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp);
  if (match === null) throw new S3Error('AccessDenied', 'x-amz-date is missing or malformed.');
  const [, year, month, day, hour, minute, second] = match;
  const then = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Math.abs(now - then) <= SKEW_MS_MAX) return;
  throw new S3Error(
    'RequestTimeTooSkewed',
    'The difference between the request time and the current time is too large.',
    {
      fields: {
        RequestTime: timestamp,
        ServerTime: new Date(now).toISOString(),
        MaxAllowedSkewMilliseconds: String(SKEW_MS_MAX),
      },
    },
  );
}

function checkScope(region: string, service: string, expected: string): void {
  if (service === 's3' && region === expected) return;
  throw new S3Error(
    'AuthorizationHeaderMalformed',
    `The authorization header is malformed; the region '${region}' is wrong; expecting '${expected}'`,
    { fields: { Region: expected } },
  );
}

function checkSignedHeaders(request: IncomingMessage, signed: readonly string[]): void {
  const required = Object.keys(request.headers).filter(
    (name) => name === 'host' || name.startsWith('x-amz-'),
  );
  const missing = required.find((name) => !signed.includes(name));
  if (missing === undefined) return;
  throw new S3Error(
    'AccessDenied',
    `There were headers present in the request which were not signed: ${missing}`,
  );
}

function checkToken(request: IncomingMessage, credentials: Credentials, now: number): void {
  const sent = request.headers['x-amz-security-token'];
  if (sent !== credentials.sessionToken) {
    throw new S3Error('InvalidToken', 'The provided token is malformed or otherwise invalid.');
  }
  if (credentials.expiresAt !== undefined && credentials.expiresAt.getTime() <= now) {
    throw new S3Error('ExpiredToken', 'The provided token has expired.');
  }
}

function canonicalRequest(
  request: IncomingMessage,
  target: Target,
  signed: readonly string[],
): string {
  const path = target.rawPath.split('/').map(reencode).join('/');
  const query = Array.from(target.query, ([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const headers = signed.map((name) => `${name}:${headerOf(request, name)}\n`).join('');
  const payload = headerOf(request, 'x-amz-content-sha256');
  return [request.method, path, query, headers, signed.join(';'), payload].join('\n');
}

function headerOf(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  const text = Array.isArray(value) ? value.join(',') : (value ?? '');
  return text.trim().replace(/ +/g, ' ');
}

function signingKey(secret: string, date: string, region: string, service: string): Buffer {
  const ofDate = hmac(`AWS4${secret}`, date);
  return hmac(hmac(hmac(ofDate, region), service), 'aws4_request');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function reencode(segment: string): string {
  return encode(decodeURIComponent(segment));
}

/** Percent-encodes all but the unreserved characters of RFC 3986. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
