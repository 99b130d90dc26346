/**
 * `rclone serve s3` over a folder, where it is installed (test/support/require.ts): written apart
 * from all other servers of the tests.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { needTool } from '../support/require.ts';
import { startProcess } from './process.ts';
import { REAL_BUCKET, REAL_CREDENTIALS, REAL_REGION, type RealS3 } from './real-s3.ts';

/**
 * Each folder is listed as a key that ends in "/", and none that is there from the start is ever
 * removed. Elsewhere it answers 500 to a write that comes while it removes the folder of a broken
 * upload, and each delete looks through all of its folder. `folders` are those that are wanted, at
 * any depth.
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
