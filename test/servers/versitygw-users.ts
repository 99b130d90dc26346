/** Creates users of versitygw that have only the permissions of a bucket policy. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3';
import { needTool } from '../support/require.ts';
import type { RealS3 } from './real-s3.ts';
import type { Credentials } from './s3/index.ts';

const run = promisify(execFile);

/** Statement of the bucket policy, without the principal. */
export interface Statement {
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
}

/** Creates a user and replaces the bucket policy with one for this user. */
export async function makeUser(
  server: RealS3,
  name: string,
  statements: readonly Statement[],
): Promise<Credentials> {
  const { endpoint, region, bucket, credentials } = server;
  const { accessKeyId, secretAccessKey } = credentials;
  const user: Credentials = { accessKeyId: name, secretAccessKey: `${name}-secret` };
  await run(needTool('versitygw'), [
    ...['admin', '--access', accessKeyId, '--secret', secretAccessKey, '--endpoint-url', endpoint],
    ...['create-user', '--access', user.accessKeyId, '--secret', user.secretAccessKey],
    ...['--role', 'user'],
  ]);
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  const allowed = statements.map((each) => ({ Effect: 'Allow', Principal: name, ...each }));
  const policy = { Version: '2012-10-17', Statement: allowed };
  try {
    await client.send(
      new PutBucketPolicyCommand({ Bucket: bucket, Policy: JSON.stringify(policy) }),
    );
  } finally {
    client.destroy();
  }
  return user;
}
