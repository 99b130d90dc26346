/**
 * versitygw on a folder, if it is installed (test/support/require.ts). If a client disconnects during an
 * upload, versitygw publishes the partial object unless the client sent a checksum. Tests use it to prove
 * that we always send one.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { needTool } from '../support/require.ts';
import { startProcess } from './process.ts';
import { REAL_BUCKET, REAL_CREDENTIALS, REAL_REGION, type RealS3 } from './real-s3.ts';

export async function startVersitygw(): Promise<RealS3> {
  const { port, stop } = await startProcess({
    name: 'versitygw',
    binary: needTool('versitygw'),
    arguments: (port, folder) => [
      ...['-q', '-a', REAL_CREDENTIALS.accessKeyId, '-s', REAL_CREDENTIALS.secretAccessKey],
      ...['-p', `127.0.0.1:${port}`, '--virtual-domain', 'localhost', '--health', '/health'],
      ...['--iam-dir', join(folder, 'users'), 'posix', join(folder, 'data')],
    ],
    async prepare(folder) {
      await mkdir(join(folder, 'data', REAL_BUCKET), { recursive: true });
      await mkdir(join(folder, 'users'));
    },
    healthPath: '/health',
  });
  return {
    endpoint: `http://127.0.0.1:${port}`,
    region: REAL_REGION,
    bucket: REAL_BUCKET,
    credentials: REAL_CREDENTIALS,
    stop,
  };
}
