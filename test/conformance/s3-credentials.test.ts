/** The S3 backend with refused credentials. */

import { inspect } from 'node:util';
import { isError } from '@sluice/core/backend';
import { keyOf, Replica } from '@sluice/core/backend/testing';
import { describe, expect, test } from 'vitest';
import { rejectionOf, useS3 } from '../servers/s3-fixture.ts';
import { bodyOf, pattern, read, ref } from './context.ts';

const s3 = useS3();
const FILE = ref(0, 1);
const KEY = keyOf('levels', 'db', FILE);

describe('credentials', () => {
  const [good, other] = ['sluicetestsecret', 'not-the-secret-at-all'];

  test.each([
    ['an unknown access key', { 'access-key-id': 'nobody' }, 'REPLICA_UNAUTHENTICATED'],
    ['a wrong secret', { 'secret-access-key': other }, 'REPLICA_UNAUTHENTICATED'],
    ['a wrong session token', { 'session-token': 'not-the-token' }, 'REPLICA_UNAUTHENTICATED'],
  ] as const)(
    'with %s fail as unauthenticated, without secrets in the error',
    async (_, more, code) => {
      const customerKey = Buffer.alloc(32, 7).toString('base64');
      const input = { 'sse-customer-key': customerKey, 'session-token': 'a-token', ...more };
      const replica = new Replica(await s3.connected(input), 'db');
      const errors = await Promise.all([
        rejectionOf(replica.openFile(FILE)),
        rejectionOf(replica.writeFile(FILE, bodyOf(pattern(9, 1)))),
        rejectionOf(replica.deleteFiles([FILE])),
        rejectionOf(Array.fromAsync(replica.listFiles('all'))),
      ]);
      for (const error of errors) {
        expect(isError(error, code)).toBe(true);
        const text = inspect(error, { depth: 12, showHidden: true });
        for (const secret of [good, other, 'not-the-token', 'a-token', customerKey]) {
          expect(text).not.toContain(secret);
        }
      }
    },
  );

  test('of a session work until the session expires', async () => {
    const expiresAt = new Date(Date.now() + 60_000);
    const session = { accessKeyId: 'session', secretAccessKey: 's', sessionToken: 't' };
    let now = Date.now();
    await s3.restart({ credentials: [{ ...session, expiresAt }], now: () => now });
    const replica = new Replica(await s3.connected(), 'db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    now = expiresAt.getTime() + 1;
    const error = await rejectionOf(replica.openFile(FILE));
    expect(error).toMatchObject({ code: 'REPLICA_UNAUTHENTICATED' });
    expect(error.message).toContain('ExpiredToken');
  });

  test('that may not delete still work for everything else', async () => {
    const appendOnly = { accessKeyId: 'append', secretAccessKey: 's' };
    await s3.restart({
      credentials: [{ ...appendOnly, denied: ['DeleteObject', 'DeleteObjects'] }],
    });
    const replica = new Replica(await s3.connected(), 'db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    const error = await rejectionOf(replica.deleteFiles([FILE]));
    expect(error).toMatchObject({ code: 'REPLICA_PERMISSION_DENIED', failures: [{}] });
    expect(await read(replica, FILE)).toHaveLength(9);
  });

  test('work after one refusal if the clock is wrong', async () => {
    await s3.restart({ now: () => Date.now() + 20 * 60_000 });
    const replica = new Replica(await s3.connected(), 'db');
    const error = await rejectionOf(replica.writeFile(FILE, bodyOf(pattern(9, 1))));
    expect(isError(error, 'REPLICA_UNAVAILABLE')).toBe(true);
    expect(error.message).toMatch(/clock is (19|20) minutes behind the server's: set it/);
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    expect(s3.server.raw.keys()).toEqual([KEY]);
  });
});
