/** Where a bucket of AWS is, when nobody has said it: asked once, by the first request. */

import type { S3Client } from '@aws-sdk/client-s3';
import { regionNamedBy, toReplicationError } from './errors.ts';

/** Where nothing says otherwise. Every S3-compatible server takes it. */
export const REGION_DEFAULT = 'us-east-1';

/**
 * Gives the region, and asks again only after a failure. HeadBucket needs s3:ListBucket, and even
 * where it is denied or sent elsewhere the answer names the region. (GetBucketLocation is often
 * denied.) `askIn` makes a client for that one request: the region where it is signed for matters
 * to the partitions of AWS only (China, GovCloud).
 */
export function regionOnce(
  bucket: string,
  sdk: typeof import('@aws-sdk/client-s3'),
  askIn: (region: string) => S3Client,
): () => Promise<string> {
  let asked: Promise<string> | undefined;
  const ask = async (): Promise<string> => {
    const first = regionOfEnvironment();
    try {
      const client = askIn(first);
      const answer = await client.send(new sdk.HeadBucketCommand({ Bucket: bucket }));
      return answer.BucketRegion ?? first;
    } catch (error) {
      const region = regionNamedBy(error);
      if (region !== undefined) return region;
      throw toReplicationError(error, `look for the region of s3://${bucket}`);
    }
  };
  return () => {
    asked ??= ask().catch((error: unknown) => {
      asked = undefined;
      throw error;
    });
    return asked;
  };
}

/** The SDK reads the same variables, and fails where there is none. */
function regionOfEnvironment(): string {
  const { AWS_REGION: region, AWS_DEFAULT_REGION: fallback } = process.env;
  return region ?? fallback ?? REGION_DEFAULT;
}

/** What the endpoint of AWS itself says: https://s3.eu-west-1.amazonaws.com */
export function regionOfEndpoint(endpoint: string): string | undefined {
  const { hostname } = new URL(endpoint);
  return /(?:^|\.)s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?$/.exec(
    hostname,
  )?.[1];
}
