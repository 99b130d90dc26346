/**
 * `rclone serve s3` and `rclone serve webdav` on a folder, if it is installed (test/support/require.ts).
 * Its implementation is independent of all other test servers.
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

export interface RcloneWebDAV {
  readonly port: number;
  /** Input of the backend's schema, without the path. */
  readonly input: { readonly endpoint: string; readonly user: string; readonly password: string };
  /** The folder that it serves. */
  readonly folder: string;
  readonly stop: () => Promise<void>;
}

/** rclone caches folders for minutes, so create files through the server, not in the folder. */
export async function startRcloneWebDAV(): Promise<RcloneWebDAV> {
  const login = { user: 'sluice', password: 'webdav-password' };
  const { port, folder, stop } = await startProcess({
    name: 'rclone',
    binary: needTool('rclone'),
    arguments: (port, at) => [
      ...['serve', 'webdav', '--addr', `127.0.0.1:${port}`, '--config', join(at, 'none.conf')],
      ...['--user', login.user, '--pass', login.password],
      join(at, 'data'),
    ],
    prepare: (at) => mkdir(join(at, 'data')),
  });
  const endpoint = `http://127.0.0.1:${port}`;
  return { port, input: { endpoint, ...login }, folder: join(folder, 'data'), stop };
}
