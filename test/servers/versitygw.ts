/**
 * versitygw over a folder, where it is installed (test/support/require.ts). It publishes what a
 * client that went away had sent so far, unless a checksum came with it: the server that proves
 * that ours always does.
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
