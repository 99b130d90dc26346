/** Buckets as destinations of `openSluice`, and credentials from the application. */

import path from 'node:path';
import { openSluice, type Sluice, type SluiceNotice } from '@sluice/core';
import { s3, type S3Options } from '@sluice/s3';
import { expect, onTestFinished, test } from 'vitest';
import { useS3 } from '../servers/s3-fixture.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { insertRow, openDatabase, rowsOf } from './support.ts';

const fixture = useS3();

async function open(app: string, credentials: Partial<S3Options>): Promise<Sluice> {
  const { bucket, endpoint, region } = fixture.server;
  const sluice = await openSluice({
    databases: [
      {
        path: app,
        destinations: [
          s3({ bucket, endpoint, region, path: 'app', ...credentials }, { name: 'bucket' }),
        ],
      },
    ],
    restoreIfMissing: true,
    shutdownSyncTimeoutMs: 0,
  });
  onTestFinished(async () => void (await sluice.close().catch(() => undefined)));
  return sluice;
}

test('a bucket gets the rows, and gives them back', async () => {
  const { accessKeyId, secretAccessKey } = fixture.server.credentials;
  const [first, second] = ['first', 'second'].map((name) => {
    return path.join(temporaryFolder(name), 'app.db');
  }) as [string, string];
  const sluice = await open(first, { accessKeyId, secretAccessKey });
  insertRow(openDatabase(first));
  expect((await sluice.database(first).durable()).destinations).toEqual(['bucket']);
  await sluice.close();
  const again = await open(second, { accessKeyId, secretAccessKey });
  expect(rowsOf(second)).toEqual([1]);
  await again.close();
});

test('a function of the application is asked for the credentials', async () => {
  const app = path.join(temporaryFolder('library'), 'app.db');
  let calls = 0;
  const sluice = await open(app, {
    credentials: async () => {
      calls += 1;
      const { accessKeyId, secretAccessKey } = fixture.server.credentials;
      const expiration = new Date(Date.now() + 3_600_000);
      return await Promise.resolve({ accessKeyId, secretAccessKey, expiration });
    },
  });
  insertRow(openDatabase(app));
  await sluice.database(app).durable();
  await sluice.close();
  expect(calls).toBeGreaterThan(0);
  expect(calls).toBeLessThanOrEqual(2); // one for each connection: to restore, and to replicate
});

test('a function that fails is an error of its destination, which says so', async () => {
  const app = path.join(temporaryFolder('library'), 'app.db');
  openDatabase(app);
  const sluice = await open(app, {
    credentials: () => {
      throw new Error('the vault is sealed');
    },
  });
  const notice = await new Promise<SluiceNotice | Error>((resolve) => {
    sluice.once('warning', resolve);
    sluice.once('error', resolve);
  });
  expect(notice).toMatchObject({
    code: 'REPLICA_UNAUTHENTICATED',
    message: expect.stringContaining('the vault is sealed') as string,
  });
});
