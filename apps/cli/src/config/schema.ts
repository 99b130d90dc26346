/**
 * The sections of the file: at the top, a database, a destination. The keys of a kind of destination are its
 * backend's. From these schemas come the parser, docs/configuration.md and the JSON Schema.
 */

import path from 'node:path';
import { DATABASE_DEFAULTS } from '@sluice/core';
import { expandHome } from '@sluice/core/backend';
import { formatBytes, formatDuration, isMap } from '@sluice/core/config';
import {
  boolean,
  choice,
  duration,
  field,
  filePath,
  integer,
  size,
  text,
  Invalid,
  type ConfigField,
  type FieldOptions,
} from '@sluice/core/backend/config';
import { z } from 'zod';
import { hasControlCharacter } from '../control-characters.ts';

/** A poll or a try each few milliseconds would only burn the processor. */
const INTERVAL_MS_MIN = 10;
/** A snapshot holds the whole database. */
const SNAPSHOT_INTERVAL_MS_MIN = 1_000;
/** Less would count the waits between two looks. */
const MAX_LAG_MS_MIN = 1_000;
const STAGING_BYTES_MIN = 1024 ** 2;

const ms = formatDuration;
const standard = DATABASE_DEFAULTS;

const snapshotInterval = (
  help: string,
  example: string,
  options: FieldOptions = {},
): ConfigField<number> => duration(help, { example, min: SNAPSHOT_INTERVAL_MS_MIN, ...options });
const maxLag = (help: string, defaultText?: string): ConfigField<number> =>
  duration(help, { example: '5m', min: MAX_LAG_MS_MIN, defaultText });
const syncInterval = (help: string, options: FieldOptions = {}): ConfigField<number> =>
  duration(help, { example: '500ms', min: INTERVAL_MS_MIN, ...options });

/** Its items are read one by one (database.ts). */
const list = (help: string): ConfigField<readonly unknown[]> =>
  field({ type: 'array', description: help }, (value) =>
    Array.isArray(value) ? (value as readonly unknown[]) : new Invalid('must be a list'),
  );

export const TOP = z.strictObject({
  dbs: list('the databases').optional(),
  addr: text('/metrics and /healthz are served here; ":9090" is 127.0.0.1', {
    example: ':9091',
    defaultText: 'off',
  }).optional(),
  exec: text('a command that is run beside it, as -exec', { example: 'sleep 1' }).optional(),
  logging: z
    .strictObject({
      level: choice(
        'what is logged; -log-level and LOG_LEVEL win over it',
        ['trace', 'debug', 'info', 'warn', 'error'],
        { example: 'debug' },
      ).prefault('info'),
      type: choice('how a line looks; pretty is for people only', ['text', 'json', 'pretty'], {
        example: 'json',
      }).prefault('text'),
      stderr: boolean('log to stderr instead of stdout', { example: true }).prefault(false),
    })
    .prefault({}),
  snapshot: z
    .strictObject({
      interval: snapshotInterval('time between full snapshots', '12h').prefault(
        ms(standard.snapshotIntervalMs),
      ),
    })
    .prefault({}),
  'shutdown-sync-timeout': duration(
    'at the end, how long a destination is tried after its first failure, if nothing succeeds in between (0: one try); a destination that does not respond at all is given twice as long, 10 s to a minute',
    { example: '45s' },
  ).prefault('30s'),
  'shutdown-sync-interval': duration('time between tries at the end', {
    example: '250ms',
    min: INTERVAL_MS_MIN,
  }).prefault('500ms'),
  'max-lag': maxLag(
    'a commit that is older than this and not at every destination is a fault: status, /healthz and metrics say so',
  ).prefault(ms(standard.maxLagMs)),
  'sync-interval': syncInterval('the default of every destination').prefault(
    ms(standard.syncIntervalMs),
  ),
  'snapshot-interval': snapshotInterval('the default of every destination', '6h').optional(),
});

export type TopSection = z.output<typeof TOP>;

/** Litestream takes it off. */
const SQLITE_SCHEME = /^sqlite3?:\/\//;

const databasePath = filePath('the database; sqlite:// before it is taken off', {
  example: '/data/other.db',
  check: (written) => problemWithPath(written.replace(SQLITE_SCHEME, '')),
}).transform(toDatabasePath);

export const DATABASE = z.strictObject({
  path: databasePath,
  'meta-path': filePath('the staging folder', {
    example: '/data/staging',
    defaultText: '.<name>-sluice beside the database',
    check: problemWithPath,
  })
    .transform((folder) => path.resolve(folder))
    .optional(),
  'monitor-interval': duration('safety poll of an idle database', {
    example: '2s',
    min: INTERVAL_MS_MIN,
  }).prefault(ms(standard.monitorIntervalMs)),
  'max-lag': maxLag('as max-lag at the top', 'max-lag at the top').optional(),
  'checkpoint-interval': duration(
    'age of frames that nobody has checkpointed from which Sluice does; 0: not for their age',
    { example: '2m' },
  ).prefault(ms(standard.checkpointIntervalMs)),
  'min-checkpoint-page-count': integer('pages in the WAL from which it is checkpointed', {
    example: 2_000,
    min: 1,
  }).prefault(standard.minCheckpointPageCount),
  'truncate-page-n': integer('pages of WAL file from which it is truncated', {
    example: 200_000,
    min: 1,
  }).prefault(standard.truncatePageN),
  'busy-timeout': duration('how long the first statement of Sluice waits for a lock', {
    example: '2s',
  }).prefault(ms(standard.busyTimeoutMs)),
  'staging-max-bytes': size(
    'what destinations that are behind may hold on this disk, a tenth of which stays free; beyond it they get a new full snapshot',
    { example: '2GiB', min: STAGING_BYTES_MIN },
  ).prefault(formatBytes(standard.stagingMaxBytes).replace(' ', '')),
  'page-encoding': choice(
    'block needs Litestream 0.5.16 or later to read it, frame any 0.5',
    ['block', 'frame'],
    { example: 'frame' },
  ).prefault(standard.pageEncoding),
  'restore-if-db-not-exists': boolean('restore it first, where it is missing and has a backup', {
    example: true,
  }).prefault(false),
  snapshot: z
    .strictObject({
      interval: snapshotInterval('time between full snapshots of this database', '6h', {
        defaultText: 'snapshot.interval at the top',
      }).optional(),
    })
    .prefault({}),
  replica: field(
    { type: 'object', additionalProperties: true, description: 'its one destination' },
    (value) => (isMap(value) ? value : new Invalid('must be a map of keys')),
  ).optional(),
  replicas: list('its destinations, any number').optional(),
});

/** Where a database lies: known also where something else is wrong with it. */
export const DATABASE_PLACE = DATABASE.pick({ path: true, 'meta-path': true });

export type DatabaseSection = z.output<typeof DATABASE>;

/** Keys of a destination that are read here. The others are its backend's. */
export const REPLICA = z.strictObject({
  type: text('file, s3, gs, abs, sftp, or the name of a package', {
    example: 'file',
    defaultText: 'that of url, else file',
  }).optional(),
  name: text('how it is called', {
    example: 'offsite',
    defaultText: 'its type, then s3-2, s3-3, …',
    check: (name) =>
      hasControlCharacter(name)
        ? `${JSON.stringify(name)} holds a line break or another control character`
        : undefined,
  }).optional(),
  path: text('the path of the files of this database', { example: '/backup/other' }).optional(),
  url: text('type, place and settings in one', { example: 's3://bucket/app' }).optional(),
  'sync-interval': syncInterval('one file per this time on average; see below', {
    defaultText: 'sync-interval at the top',
  }).optional(),
  'snapshot-interval': snapshotInterval('as snapshot.interval; see below', '6h', {
    defaultText: 'snapshot-interval at the top, else snapshot.interval',
  }).optional(),
});

/** The absolute path, by which a database is called everywhere. */
export function toDatabasePath(written: string): string {
  return path.resolve(expandHome(written.replace(SQLITE_SCHEME, '')));
}

function problemWithPath(written: string): string | undefined {
  if (hasControlCharacter(written)) {
    return `${JSON.stringify(written)} holds a line break or another control character`;
  }
  if (/^~[^/]/.test(written)) {
    return `${written}: only ~ and ~/… are understood; write the whole path`;
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(written))
    return `${written} is a URL, and a database is a file`;
  return path.resolve(expandHome(written)) === path.resolve('/')
    ? `${written} is the root of the file system`
    : undefined;
}
