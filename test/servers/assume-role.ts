/** Gets a key with a given policy from MinIO's STS (AssumeRole at its endpoint). */

import { createHash, createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { S3Place } from './s3-access.ts';
import type { Credentials } from './s3/index.ts';
import { textOf } from './s3/xml.ts';

const READY_MS_MAX = 20_000;
const POLL_MS = 50;

export async function assumeRole(place: S3Place, policy: string): Promise<Credentials> {
  const body = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    DurationSeconds: '3600',
    Policy: policy,
  }).toString();
  const answer = await post(place, body);
  return {
    accessKeyId: textOf(answer, 'AccessKeyId') ?? '',
    secretAccessKey: textOf(answer, 'SecretAccessKey') ?? '',
    sessionToken: textOf(answer, 'SessionToken'),
  };
}

/** Waits for MinIO's users, which it loads shortly after it starts to serve objects. */
async function post(place: S3Place, body: string): Promise<string> {
  const deadline = Date.now() + READY_MS_MAX;
  for (;;) {
    const headers = signedHeaders(place, body);
    const response = await fetch(`${place.endpoint}/`, { method: 'POST', headers, body });
    const answer = await response.text();
    if (response.ok) return answer;
    if (!answer.includes('Server not initialized') || Date.now() > deadline) {
      throw new Error(`AssumeRole: ${response.status} ${answer}`);
    }
    await sleep(POLL_MS);
  }
}

/** Signature Version 4 of a POST to `/`, for the service `sts`. */
function signedHeaders(place: S3Place, body: string): Record<string, string> {
  const { accessKeyId, secretAccessKey } = place.credentials;
  const timestamp = new Date().toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const scope = [timestamp.slice(0, 8), place.region, 'sts', 'aws4_request'];
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    host: new URL(place.endpoint).host,
    'x-amz-content-sha256': sha256(body),
    'x-amz-date': timestamp,
  };
  const names = Object.keys(headers).join(';');
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}`);
  const canonical = ['POST', '/', '', ...lines, '', names, sha256(body)].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', timestamp, scope.join('/'), sha256(canonical)].join('\n');
  const key = scope.reduce(
    (key: string | Buffer, part) => hmac(key, part),
    `AWS4${secretAccessKey}`,
  );
  const signature = hmac(key, toSign).toString('hex');
  const { host: _, ...sent } = headers; // fetch adds it
  const credential = `Credential=${accessKeyId}/${scope.join('/')}`;
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
