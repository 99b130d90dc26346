/** How long a destination keeps its files: the keys, and which of them counts. */

import { RETENTION_DEFAULTS, type RetentionPolicy } from '@sluice/core';
import { formatDuration, isMap, parseDuration } from '@sluice/core/config';
import { field, Invalid, type ConfigField } from '@sluice/core/backend/config';

/** Shorter values can only be mistakes: after each snapshot the history would be gone. */
export const RETENTION_MS_MIN = 60_000;

/** The value of `retention`: a duration, or a map. */
export interface RetentionKeys {
  readonly enabled?: boolean | undefined;
  readonly periodMs?: number | undefined;
}

/** `retention: 72h` as in Litestream 0.3, or `retention: { enabled: false }` as in 0.5. */
export function retentionField(
  scope: 'all destinations' | 'this destination',
): ConfigField<RetentionKeys> {
  const own = scope === 'this destination';
  const json = {
    type: ['string', 'object'],
    'x-kind': 'duration',
    'x-min': formatDuration(RETENTION_MS_MIN),
    description: `how long states of ${scope} can be restored; the same as period, without enabled`,
    examples: ['168h'],
    'x-default': own ? 'snapshot.retention of the database' : 'snapshot.retention',
    properties: {
      enabled: {
        type: 'boolean',
        description: `false: nothing is ever deleted${own ? ' there' : ''}`,
        examples: [false],
        'x-default': own ? 'top-level retention.enabled' : 'true',
      },
      period: {
        type: 'string',
        'x-kind': 'duration',
        'x-min': formatDuration(RETENTION_MS_MIN),
        description:
          'how long states can be restored: every commit for an hour, then one for each interval of level 1',
        examples: ['168h'],
        'x-default': own ? 'snapshot.retention of the database' : 'snapshot.retention',
      },
    },
    additionalProperties: false,
  } as const;
  return field(json, (value) => {
    if (!isMap(value)) return readPeriod(value);
    const { enabled, period } = value;
    if (enabled !== undefined && enabled !== null && typeof enabled !== 'boolean') {
      return new Invalid('must have true or false as enabled');
    }
    const given = period === undefined || period === null ? {} : readPeriod(period);
    return given instanceof Invalid ? given : { ...given, enabled: enabled ?? undefined };
  });
}

function readPeriod(value: unknown): RetentionKeys | Invalid {
  const periodMs = parseDuration(typeof value === 'string' ? value : value === 0 ? '0' : '');
  if (periodMs === undefined)
    return new Invalid('must be a duration such as 72h, or { enabled: false }');
  if (periodMs >= RETENTION_MS_MIN) return { periodMs };
  const least = formatDuration(RETENTION_MS_MIN);
  return new Invalid(`must be at least ${least}; to delete nothing, write { enabled: false }`);
}

/** The keys of the sections that concern one destination. */
export interface RetentionSources {
  readonly replica: RetentionKeys | undefined;
  /** `snapshot.retention` of the database. */
  readonly database: number | undefined;
  readonly top: RetentionKeys | undefined;
  /** Top-level `snapshot.retention`. */
  readonly snapshots: number | undefined;
  /** 0: level 0 is not deleted because it is merged. */
  readonly l0RetentionMs: number;
  /** The number of levels into which files are merged, if it is configured. */
  readonly levels: number | undefined;
}

/** The destination before its database before the top level; undefined: nothing is deleted. */
export function retentionOf(sources: RetentionSources): RetentionPolicy | undefined {
  const { replica, database, top, snapshots, l0RetentionMs, levels } = sources;
  if (replica?.enabled === false) return undefined;
  if (replica?.enabled === undefined && top?.enabled === false) return undefined;
  return {
    retentionMs:
      replica?.periodMs ?? database ?? top?.periodMs ?? snapshots ?? RETENTION_DEFAULTS.retentionMs,
    l0RetentionMs: l0RetentionMs === 0 ? Infinity : l0RetentionMs,
    topLevel: levels ?? RETENTION_DEFAULTS.topLevel,
  };
}
