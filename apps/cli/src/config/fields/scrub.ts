/** The section `scrub`: reads every file of each destination again, slowly, in the background. */

import { duration, size } from '@sluice/core/backend/config';
import { z } from 'zod';

/** How a destination is scrubbed in the background. */
export interface ScrubSettings {
  /** Time from the start of one round to that of the next. */
  readonly everyMs: number;
  readonly bytesPerSecond: number;
}

/** More rounds than that would only repeat the same. */
const EVERY_MS_MIN = 1_000;
/** If another key of the section is given. */
const EVERY_MS_DEFAULT: number = 7 * 24 * 3_600_000;
const RATE_DEFAULT: number = 1024 ** 2;
/** A slower scrub does not end. */
const RATE_MIN: number = 10 * 1024;
/** Decoding runs in the process of the replicator: at this rate it takes about a tenth of a core. */
const RATE_MAX: number = 16 * 1024 ** 2;

/** `inherited`: where the default of a key comes from, if not from here. */
export function scrubSection(inherited?: string) {
  const other = (key: string, own: string): string =>
    inherited === undefined ? own : `${inherited} scrub.${key}`;
  return z
    .strictObject({
      every: duration(
        'read and verify every file of each destination this often, and mend what is damaged; 0: never',
        {
          example: '168h',
          defaultText: other('every', 'off; 168h if another key of scrub is given'),
        },
      )
        .refine(
          (ms) => ms === 0 || ms >= EVERY_MS_MIN,
          'must be at least 1s, or 0 to turn the scrub off',
        )
        .optional(),
      'bytes-per-second': size('how fast the scrub reads from each destination', {
        example: '512KiB',
        min: RATE_MIN,
        max: RATE_MAX,
        defaultText: other('bytes-per-second', '1MiB'),
      }).optional(),
    })
    .prefault({});
}

type ScrubSection = z.output<ReturnType<typeof scrubSection>>;

/** The settings of a database; undefined if its destinations are not scrubbed. */
export function scrubSettings(
  database: ScrubSection | undefined,
  top: ScrubSection,
): ScrubSettings | undefined {
  const every = database?.every ?? top.every;
  const rate = database?.['bytes-per-second'] ?? top['bytes-per-second'];
  const everyMs = every ?? (rate === undefined ? 0 : EVERY_MS_DEFAULT);
  return everyMs === 0 ? undefined : { everyMs, bytesPerSecond: rate ?? RATE_DEFAULT };
}
