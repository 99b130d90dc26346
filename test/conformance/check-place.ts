/** Checks a bucket as the command does, with its own connections. */

import { checkDestination, type CheckReport, Destination } from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import { onTestFinished } from 'vitest';
import { connectS3, type S3Place } from '../servers/s3-access.ts';
import { PART_BYTES } from '../servers/s3-fixture.ts';

export async function checkPlace(place: S3Place, path = 'db'): Promise<CheckReport> {
  const input = { 'part-size': PART_BYTES };
  const destination = new Destination(await connectS3(place, input));
  onTestFinished(() => destination.close());
  return await checkDestination({
    destination,
    connect: async (logger: Logger) => new Destination(await connectS3(place, input, { logger })),
    path,
    partBytes: PART_BYTES,
  });
}
