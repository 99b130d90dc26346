/** The section `drill`: restores of each destination on a schedule, in the background. */

import type { DrillOptions } from '@sluice/core';
import {
  choice,
  duration,
  filePath,
  size,
  text,
  texts,
  type ConfigField,
  type FieldOptions,
} from '@sluice/core/backend/config';
import { z } from 'zod';
import { parseTime, TIME_EXAMPLES } from '../../restoring/time.ts';

/** How a destination is drilled in the background. */
export interface DrillSettings {
  readonly everyMs: number;
  /** "latest", "random" or a time, which may be relative to the drill. */
  readonly at: string;
  readonly assertions: readonly string[];
  readonly integrityCheck: DrillOptions['integrityCheck'];
  /** Default: what is free. */
  readonly scratchBytesMax?: number | undefined;
  /** Default: the temporary folder of the system. */
  readonly scratch?: string | undefined;
  /** A copy up to this size is kept for the next drill. Default: none is. */
  readonly keptBytesMax?: number | undefined;
  /** Bytes per second. Default: no limit. */
  readonly bandwidth?: number | undefined;
}

/** More drills than that would only repeat the same. */
const EVERY_MS_MIN = 1_000;
/** If another key of the section is given. */
const EVERY_MS_DEFAULT: number = 24 * 3_600_000;
/** Hardly any database is smaller. */
const SCRATCH_BYTES_MIN: number = 1024 ** 2;
/** A drill that is slower than this does not end. */
const BANDWIDTH_MIN: number = 10 * 1024;

/** An interval between drills; 0 turns them off. */
export function drillInterval(help: string, options: FieldOptions): ConfigField<number> {
  return duration(help, options).refine(
    (ms) => ms === 0 || ms >= EVERY_MS_MIN,
    'must be at least 1s, or 0 to turn drills off',
  );
}

/** `inherited`: where the default of a key comes from, if not from here. */
export function drillSection(inherited?: string) {
  const other = (key: string, own: string): string =>
    inherited === undefined ? own : `${inherited} drill.${key}`;
  return z
    .strictObject({
      every: drillInterval(
        'restore each destination alone this often, and check the result; 0: never',
        {
          example: '12h',
          defaultText: other('every', 'off; 24h if another key of drill is given'),
        },
      ).optional(),
      at: text('state to restore: latest, random, or a time such as "1h ago"', {
        example: 'random',
        defaultText: other('at', 'latest'),
        check: problemWithState,
      }).optional(),
      assert: texts('queries whose first value must not be NULL, 0 or empty', {
        example: 'SELECT count(*) FROM orders',
        defaultText: other('assert', 'none'),
      }).optional(),
      check: choice('SQLite’s own check of the restored database', ['quick', 'integrity'], {
        example: 'integrity',
        defaultText: other('check', 'quick'),
      }).optional(),
      'max-bytes': size('maximum size of the restored copy; a larger database is not drilled', {
        example: '20GiB',
        min: SCRATCH_BYTES_MIN,
        defaultText: other('max-bytes', 'what is free'),
      }).optional(),
      scratch: filePath(
        'folder for the restored copy, which is removed afterwards unless it is kept',
        {
          example: '/mnt/scratch',
          defaultText: other('scratch', 'the temporary folder of the system'),
        },
      ).optional(),
      keep: size(
        'keep a restored copy up to this size, so that the next drill reads only newer files; only with at: latest',
        { example: '2GiB', min: SCRATCH_BYTES_MIN, defaultText: other('keep', 'nothing is kept') },
      ).optional(),
      bandwidth: size('bytes per second that a drill reads from a destination', {
        example: '10MiB',
        min: BANDWIDTH_MIN,
        defaultText: other('bandwidth', 'no limit'),
      }).optional(),
    })
    .prefault({});
}

type DrillSection = z.output<ReturnType<typeof drillSection>>;

export interface DrillSources {
  /** `validation-interval` of the destination. */
  readonly own: number | undefined;
  readonly database: DrillSection | undefined;
  readonly top: DrillSection;
  /** `validation-interval` and `validation.interval` at the top level. */
  readonly validation: number | undefined;
}

/** The settings of one destination; undefined if it is not drilled. */
export function drillSettings(sources: DrillSources): DrillSettings | undefined {
  const { own, database = {}, top, validation } = sources;
  const given: DrillSection = { ...withoutUndefined(top), ...withoutUndefined(database) };
  const isWanted = Object.keys(given).length > 0;
  const everyMs = own ?? given.every ?? validation ?? (isWanted ? EVERY_MS_DEFAULT : 0);
  if (everyMs === 0) return undefined;
  return {
    everyMs,
    at: given.at ?? 'latest',
    assertions: given.assert ?? [],
    integrityCheck: given.check === 'integrity' ? 'full' : 'quick',
    scratchBytesMax: given['max-bytes'],
    scratch: given.scratch,
    keptBytesMax: given.keep,
    bandwidth: given.bandwidth,
  };
}

function withoutUndefined(section: DrillSection): DrillSection {
  return Object.fromEntries(
    Object.entries(section).filter(([, value]) => value !== undefined),
  ) as DrillSection;
}

function problemWithState(written: string): string | undefined {
  if (written === 'latest' || written === 'random') return undefined;
  const parsed = parseTime(written, new Date());
  if (parsed.kind === 'time') return undefined;
  return parsed.kind === 'impossible'
    ? parsed.why
    : `must be latest, random, or a time such as ${TIME_EXAMPLES}, not ${JSON.stringify(written)}`;
}
