/** The replica of the figures on our S3 server. */

import type { RunningS3 } from '../../servers/s3/index.ts';

export const ROOT = 'db';

export function putFile(
  { raw }: RunningS3,
  {
    level,
    name,
    bytes,
  }: { readonly level: string; readonly name: string; readonly bytes: Uint8Array },
): void {
  raw.put(`${ROOT}/${level.padStart(4, '0')}/${name}`, bytes, new Date());
}

export function urlOf({ bucket, endpoint, region }: RunningS3): string {
  return `s3://${bucket}/${ROOT}?endpoint=${endpoint}&region=${region}&forcePathStyle=true`;
}

export function environmentOf({ credentials }: RunningS3): NodeJS.ProcessEnv {
  return {
    ...process.env,
    AWS_CA_BUNDLE: undefined, // Litestream fails with it
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
}
