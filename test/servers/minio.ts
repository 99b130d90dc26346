/** MinIO, if it is installed (test/support/require.ts): one folder, one bucket. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { needTool } from '../support/require.ts';
import { until } from '../support/wait.ts';
import { startProcess } from './process.ts';
import { REAL_BUCKET, REAL_CREDENTIALS, REAL_REGION, type RealS3 } from './real-s3.ts';
import { rawKeys } from './s3-access.ts';

export async function startMinio(): Promise<RealS3> {
  const { port, stop } = await startProcess({
    name: 'minio',
    binary: needTool('minio'),
    arguments: (port, folder) => [
      ...['server', '--quiet', '--address', `127.0.0.1:${port}`],
      join(folder, 'data'),
    ],
    environment: {
      MINIO_ROOT_USER: REAL_CREDENTIALS.accessKeyId,
      MINIO_ROOT_PASSWORD: REAL_CREDENTIALS.secretAccessKey,
      MINIO_DOMAIN: 'localhost',
      MINIO_BROWSER: 'off',
    },
    // With one disk, an existing folder is a bucket.
    prepare: async (folder) =>
      void (await mkdir(join(folder, 'data', REAL_BUCKET), { recursive: true })),
    healthPath: '/minio/health/ready',
  });
  const server: RealS3 = {
    endpoint: `http://127.0.0.1:${port}`,
    region: REAL_REGION,
    bucket: REAL_BUCKET,
    credentials: REAL_CREDENTIALS,
    stop,
  };
  // MinIO reports ready shortly before its buckets are available.
  await until('MinIO lists its bucket', async () => {
    const isListed = await rawKeys(server, '').then(
      () => true,
      () => false,
    );
    return isListed;
  });
  return server;
}
