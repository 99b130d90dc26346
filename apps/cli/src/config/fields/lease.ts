/** The section `lease`: only one replicator at a time writes to a destination, and others wait for it. */

import type { LeaseSettings } from '@sluice/core';
import { duration } from '@sluice/core/backend/config';
import { z } from 'zod';

/** A shorter lease would end with each slow answer of a server. */
const TTL_MS_MIN = 3_000;
/** After a crash nobody writes for this long. */
const TTL_MS_MAX = 24 * 3_600_000;

/** `inherited`: where the default comes from. */
export function leaseSection(inherited: string) {
  return z
    .strictObject({
      ttl: duration(
        'write only while holding a lease, which is renewed every third of this time; 0: no lease',
        { example: '30s', defaultText: inherited },
      )
        .refine((ms) => ms === 0 || ms >= TTL_MS_MIN, 'must be at least 3s, or 0 to use no lease')
        .refine(
          (ms) => ms <= TTL_MS_MAX,
          'must be at most 24h: after a crash nobody writes for so long',
        )
        .optional(),
    })
    .prefault({});
}

type LeaseSection = z.output<ReturnType<typeof leaseSection>>;

/** The lease of a destination; the first section with a time counts. undefined: none. */
export function leaseOf(
  ...sections: readonly (LeaseSection | undefined)[]
): LeaseSettings | undefined {
  const ttlMs = sections.find((section) => section?.ttl !== undefined)?.ttl ?? 0;
  return ttlMs === 0 ? undefined : { ttlMs };
}
