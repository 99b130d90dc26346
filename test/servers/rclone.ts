/**
 * `rclone serve s3` on a folder, if it is installed (test/support/require.ts). Its implementation is
 * independent of all other test servers.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { needTool } from '../support/require.ts';
import { startProcess } from './process.ts';
import { REAL_BUCKET, REAL_CREDENTIALS, REAL_REGION, type RealS3 } from './real-s3.ts';

/**
 * Creates `folders`, at any depth. rclone lists each folder as a key that ends in "/" and never removes
 * folders that existed at its start. In other folders it responds 500 to a write while it removes the
 * folder of a failed upload, and each delete scans the whole folder.
 */
export async function startRcloneS3(folders: readonly string[]): Promise<RealS3> {
  const { accessKeyId, secretAccessKey } = REAL_CREDENTIALS;
  const { port, stop } = await startProcess({
    name: 'rclone',
    binary: needTool('rclone'),
    arguments: (port, at) => [
      ...['serve', 's3', '--addr', `127.0.0.1:${port}`, '--config', join(at, 'none.conf')],
      ...['--directory-markers', '--auth-key', `${accessKeyId},${secretAccessKey}`],
      join(at, 'data'),
    ],
    async prepare(at) {
      const bucket = join(at, 'data', REAL_BUCKET);
      await mkdir(bucket, { recursive: true });
      for (const folder of folders) await mkdir(join(bucket, folder), { recursive: true });
    },
  });
  return {
    endpoint: `http://127.0.0.1:${port}`,
    region: REAL_REGION,
    bucket: REAL_BUCKET,
    credentials: REAL_CREDENTIALS,
    stop,
  };
}
