/** What is sent to a destination, and whether anything is. */

import type { RateLimits } from '@sluice/core';
import { boolean, integer, size } from '@sluice/core/backend/config';
import type { ReplicaSection } from '../schema.ts';

/** Slower than the slowest modem: a snapshot would never arrive. */
const UPLOAD_BYTES_PER_SECOND_MIN = 1024;

/** Keys of a destination. */
export const LIMITS = {
  enabled: boolean(
    'false: nothing is sent there and nothing is kept for it; restores and drills still read it',
    { example: false },
  ).prefault(true),
  'max-upload-bytes-per-second': size(
    'maximum bytes per second of all uploads to this destination together',
    { example: '2MiB', min: UPLOAD_BYTES_PER_SECOND_MIN, defaultText: 'no limit' },
  ).optional(),
  'max-requests-per-second': integer(
    'maximum calls per second at this destination, evenly spaced; retries, parts of large files and further pages of a listing are not counted',
    { example: 10, min: 1, defaultText: 'no limit' },
  ).optional(),
} as const;

/** undefined if nothing is limited. */
export function limitsOf(read: ReplicaSection): RateLimits | undefined {
  const uploadBytesPerSecond = read['max-upload-bytes-per-second'];
  const requestsPerSecond = read['max-requests-per-second'];
  const isLimited = uploadBytesPerSecond !== undefined || requestsPerSecond !== undefined;
  return isLimited ? { uploadBytesPerSecond, requestsPerSecond } : undefined;
}
