/** Credentials from the AWS SDK's own sources that change while Sluice runs. */

import { Replica } from '@sluice/core/backend/testing';
import { once } from 'node:events';
import fs from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';

import { expect, onTestFinished, test, vi } from 'vitest';
import { useS3 } from '../servers/s3-fixture.ts';
import type { Credentials } from '../servers/s3/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { bodyOf, pattern, ref } from './context.ts';

const s3 = useS3();
const DAY_MS = 86_400_000;

interface Session extends Credentials {
  readonly sessionToken: string;
}

function session(name: string): Session {
  return { accessKeyId: `key-${name}`, secretAccessKey: `s-${name}`, sessionToken: `t-${name}` };
}

const [FIRST, SECOND] = [session('first'), session('second')];

interface Rotating {
  /** End of the first session. The second one lasts longer. */
  readonly expiresAt: Date;
  readonly rotate: () => void;
}

/** Starts a server that accepts the first session for a day, and then only the second one. */
async function startRotating(): Promise<Rotating> {
  let now = Date.now();
  const expiresAt = new Date(now + DAY_MS);
  await s3.restart({ credentials: [{ ...FIRST, expiresAt }, SECOND], now: () => now });
  // Both clocks move. Moving only the server's clock would look like a clock skew.
  return {
    expiresAt,
    rotate() {
      now = expiresAt.getTime() + 1;
      vi.useFakeTimers({ now, toFake: ['Date'] });
      onTestFinished(() => void vi.useRealTimers());
    },
  };
}

function endOf(current: Session, expiresAt: Date): string {
  const end = current === FIRST ? expiresAt : new Date(expiresAt.getTime() + DAY_MS);
  return end.toISOString();
}

/** Hides this machine's own credentials and sets these variables. */
function stubEnvironment(variables: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
  }
  const nowhere = path.join(temporaryFolder('aws'), 'none');
  vi.stubEnv('AWS_CONFIG_FILE', nowhere);
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', nowhere);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
}

async function startAnswering(answer: (request: IncomingMessage) => Promise<string>) {
  const server = createServer((request, response) => {
    answer(request).then(
      (body) => response.end(body),
      () => response.destroy(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function replicaOfSDK(): Promise<Replica> {
  const keys = ['access-key-id', 'secret-access-key', 'session-token'];
  const none = Object.fromEntries(keys.map((key) => [key, undefined]));
  return new Replica(await s3.connected(none), 'db');
}

async function write(replica: Replica, txid: number): Promise<void> {
  await replica.writeFile(ref(0, txid), bodyOf(pattern(9, txid)));
}

/** Access keys of the requests so far. */
function keysOf(): string[] {
  return s3.server.requests.all().map(({ headers }) => {
    return /Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1] ?? 'none';
  });
}

test('credentials of a container role are refreshed before the session ends', async () => {
  const { rotate, expiresAt } = await startRotating();
  let current = FIRST;
  const uri = await startAnswering(async () =>
    JSON.stringify({
      AccessKeyId: current.accessKeyId,
      SecretAccessKey: current.secretAccessKey,
      Token: current.sessionToken,
      Expiration: endOf(current, expiresAt),
    }),
  );
  stubEnvironment({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${uri}/role` });
  const replica = await replicaOfSDK();
  await write(replica, 1);
  current = SECOND;
  rotate();
  await write(replica, 2);
  expect(keysOf()).toEqual([FIRST.accessKeyId, SECOND.accessKeyId]);
});

test('a web identity is exchanged again with the current token in its file', async () => {
  const { rotate, expiresAt } = await startRotating();
  const file = path.join(temporaryFolder('web-identity'), 'token');
  fs.writeFileSync(file, 'token-1');
  const tokens: string[] = [];
  const sts = await startAnswering(async (request) => {
    const token = new URLSearchParams(await text(request)).get('WebIdentityToken') ?? '';
    tokens.push(token);
    const current = token === 'token-1' ? FIRST : SECOND;
    const { accessKeyId, secretAccessKey, sessionToken } = current;
    return `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${accessKeyId}</AccessKeyId>
<SecretAccessKey>${secretAccessKey}</SecretAccessKey><SessionToken>${sessionToken}</SessionToken>
<Expiration>${endOf(current, expiresAt)}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>`;
  });
  stubEnvironment({
    AWS_WEB_IDENTITY_TOKEN_FILE: file,
    AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/replicator',
    AWS_ENDPOINT_URL_STS: sts,
    AWS_REGION: 'us-east-1',
  });
  const replica = await replicaOfSDK();
  await write(replica, 1);
  fs.writeFileSync(file, 'token-2');
  rotate();
  await write(replica, 2);
  expect(tokens).toEqual(['token-1', 'token-2']);
  expect(keysOf()).toEqual([FIRST.accessKeyId, SECOND.accessKeyId]);
});

/** The SDK's shared credentials file, with the first session in it. */
function credentialsFile(): { put: (session: Session) => void } {
  const file = path.join(temporaryFolder('aws'), 'credentials');
  const put = ({ accessKeyId, secretAccessKey, sessionToken }: Session): void => {
    const lines = [
      '[default]',
      `aws_access_key_id = ${accessKeyId}`,
      `aws_secret_access_key = ${secretAccessKey}`,
      `aws_session_token = ${sessionToken}`,
    ];
    fs.writeFileSync(file, lines.join('\n'));
  };
  put(FIRST);
  stubEnvironment({ AWS_SHARED_CREDENTIALS_FILE: file });
  return { put };
}

test('a changed credentials file is read again', async () => {
  const { rotate } = await startRotating();
  const { put } = credentialsFile();
  const replica = await replicaOfSDK();
  await write(replica, 1);
  put(SECOND);
  rotate();
  await write(replica, 2);
  expect(keysOf()).toEqual([FIRST.accessKeyId, SECOND.accessKeyId]);
});

test('a changed credentials file is read again even if the wall clock was set back', async () => {
  await s3.restart({ credentials: [FIRST, SECOND] });
  const { put } = credentialsFile();
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const replica = await replicaOfSDK();
  await write(replica, 1);
  put(SECOND);
  vi.advanceTimersByTime(10 * 60_000);
  vi.setSystemTime(Date.now() - DAY_MS);
  await expect(write(replica, 2)).rejects.toThrow(/clock is \d+ minutes behind/); // corrected from then on
  await write(replica, 2);
  expect(keysOf()).toEqual([FIRST, SECOND, SECOND].map(({ accessKeyId }) => accessKeyId));
});
