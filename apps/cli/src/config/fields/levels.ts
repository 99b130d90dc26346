/** The intervals of merged levels: `levels`. */

import { DEFAULT_LEVELS, LEVELS_MAX, toLevels, type MergeLevel } from '@sluice/core';
import { field, Invalid, type ConfigField } from '@sluice/core/backend/config';
import { formatDuration, isMap, parseDuration } from '@sluice/core/config';

/** A file of a level covers at least a few syncs. */
const LEVEL_INTERVAL_MS_MIN = 100;

/** `levels: [{ interval: 30s }, …]`, from level 1 on. An empty list turns merging off. */
export function levels(): ConfigField<readonly MergeLevel[]> {
  const json = {
    type: 'array',
    items: { type: 'object', properties: { interval: { type: 'string' } }, required: ['interval'] },
    description:
      'intervals of levels 1, 2, 3…: each level has one file for each interval, merged from the files of the level before; [] turns merging off',
    examples: [[{ interval: '1m' }, { interval: '30m' }]],
    'x-default': DEFAULT_LEVELS.map(({ intervalMs }) => formatDuration(intervalMs)).join(', '),
  } as const;
  return field(json, (value) => {
    if (!Array.isArray(value)) return new Invalid('must be a list such as [{ interval: 30s }]');
    if (value.length > LEVELS_MAX) return new Invalid(`has more than ${LEVELS_MAX} levels`);
    const intervals = (value as readonly unknown[]).map(readInterval);
    const wrong = intervals.find((interval) => typeof interval === 'string');
    if (wrong !== undefined) return new Invalid(wrong);
    const given = intervals.filter((interval) => typeof interval === 'number');
    const isAscending = given.every((interval, index) => interval > (given[index - 1] ?? 0));
    return isAscending
      ? toLevels(given)
      : new Invalid('must have longer intervals at higher levels');
  });
}

/** The interval in milliseconds, or what is wrong with it. */
function readInterval(item: unknown): number | string {
  const written = isMap(item) && Object.keys(item).length === 1 ? item['interval'] : undefined;
  const interval = typeof written === 'string' ? parseDuration(written) : undefined;
  if (interval !== undefined && interval >= LEVEL_INTERVAL_MS_MIN) return interval;
  return `must be a list such as [{ interval: 30s }], with intervals of at least ${formatDuration(LEVEL_INTERVAL_MS_MIN)}`;
}
