/** MinIO, where it is installed (test/support/require.ts): one folder, one bucket. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { needTool } from '../support/require.ts';
import { startProcess } from './process.ts';
import { REAL_BUCKET, REAL_CREDENTIALS, REAL_REGION, type RealS3 } from './real-s3.ts';

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
    // On one disk, a folder that was there before is a bucket.
    prepare: async (folder) =>
      void (await mkdir(join(folder, 'data', REAL_BUCKET), { recursive: true })),
    healthPath: '/minio/health/ready',
  });
  return {
    endpoint: `http://127.0.0.1:${port}`,
    region: REAL_REGION,
    bucket: REAL_BUCKET,
    credentials: REAL_CREDENTIALS,
    stop,
  };
}
