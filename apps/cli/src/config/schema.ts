/**
 * Schemas of the sections: top level, database, destination. Each backend has a schema for its own keys. The
 * parser, docs/configuration.md and the JSON Schema are built from these schemas.
 */

import path from 'node:path';
import { DATABASE_DEFAULTS, parseTimeOfDay, RETENTION_DEFAULTS } from '@sluice/core';
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
import { parseAddress } from '../http/address.ts';
import { hasControlCharacter } from '../control-characters.ts';
import { hintForText, problemWithPath, SQLITE_SCHEME, toDatabasePath } from './fields/path.ts';
import { problemWithCommand } from './fields/command-line.ts';
import { DIRECTORY } from './fields/directory.ts';
import { ENCRYPTION } from './fields/encryption.ts';
import { levels } from './fields/levels.ts';
import { leaseSection } from './fields/lease.ts';
import { LIMITS } from './fields/limits.ts';
import { HEARTBEAT, notify } from './fields/notify.ts';
import { RETENTION_MS_MIN, retentionField } from './fields/retention.ts';
import { drillInterval, drillSection } from './fields/drill.ts';
import { scrubSection } from './fields/scrub.ts';
import { pageSection } from './fields/page.ts';

/** Shorter intervals only waste processor time. */
const INTERVAL_MS_MIN = 10;
/** Limits how often the whole database is copied. */
const SNAPSHOT_INTERVAL_MS_MIN = 1_000;
/** Shorter values would include the normal delay between two polls. */
const MAX_LAG_MS_MIN = 1_000;
/** Each replacement copies the whole database. Lifecycle rules count days. */
const SNAPSHOT_MAX_AGE_MS_MIN = 3_600_000;
const STAGING_BYTES_MIN = 1024 ** 2;

const ms = formatDuration;
const standard = DATABASE_DEFAULTS;

const snapshotInterval = (
  help: string,
  example: string,
  options: FieldOptions = {},
): ConfigField<number> => duration(help, { example, min: SNAPSHOT_INTERVAL_MS_MIN, ...options });
const retention = (defaultText: string): ConfigField<number> =>
  duration('how long states can be restored; see retention', {
    example: '168h',
    min: RETENTION_MS_MIN,
    defaultText,
  });
const snapshotAt = (defaultText: string): ConfigField<number | undefined> =>
  text('local time of full snapshots, once a day or less often', {
    example: '03:00',
    defaultText,
    check: (written) =>
      parseTimeOfDay(written) === undefined
        ? `must be a time of day such as 03:00, not ${JSON.stringify(written)}`
        : undefined,
  }).transform(parseTimeOfDay);
const snapshotMaxAge = (defaultText: string): ConfigField<number> =>
  duration(
    'where nothing is deleted: a full snapshot that is older than this is replaced although nothing has changed, so that a lifecycle rule does not delete the only one',
    { example: '168h', min: SNAPSHOT_MAX_AGE_MS_MIN, defaultText },
  );
const maxLag = (help: string, defaultText?: string): ConfigField<number> =>
  duration(help, { example: '5m', min: MAX_LAG_MS_MIN, defaultText });
const syncInterval = (help: string, options: FieldOptions = {}): ConfigField<number> =>
  duration(help, { example: '500ms', min: INTERVAL_MS_MIN, ...options });

const validationInterval = (help: string, defaultText: string): ConfigField<number> =>
  drillInterval(help, { example: '6h', defaultText });

/** Items are read individually in database.ts. */
const list = (help: string): ConfigField<readonly unknown[]> =>
  field({ type: 'array', description: help }, (value) =>
    Array.isArray(value) ? (value as readonly unknown[]) : new Invalid('must be a list'),
  );

export const TOP = z.strictObject({
  dbs: list('the databases').optional(),
  addr: text(
    'address of the page, /metrics, /status, /readyz and /healthz; ":9090" means 127.0.0.1:9090',
    {
      example: ':9091',
      defaultText: 'off',
      check: (addr) =>
        parseAddress(addr) === undefined
          ? `must be host:port or :port, not ${JSON.stringify(addr)}`
          : undefined,
    },
  ).optional(),
  metrics: z
    .strictObject({
      'litestream-names': boolean('also give the metrics that Litestream has under its names', {
        example: true,
      }).prefault(false),
    })
    .prefault({}),
  ...HEARTBEAT,
  notify: notify().optional(),
  page: pageSection(),
  exec: text('command to run, like -exec', {
    example: 'sleep 1',
    check: problemWithCommand,
  }).optional(),
  logging: z
    .strictObject({
      level: choice(
        'lowest level to log; -log-level and LOG_LEVEL override it',
        ['trace', 'debug', 'info', 'warn', 'error'],
        { example: 'debug' },
      ).prefault('info'),
      type: choice(
        'format of log lines; pretty is for people, not for parsers',
        ['text', 'json', 'pretty'],
        {
          example: 'json',
        },
      ).prefault('text'),
      stderr: boolean('log to stderr instead of stdout', { example: true }).prefault(false),
    })
    .prefault({}),
  snapshot: z
    .strictObject({
      interval: snapshotInterval('time between full snapshots', '12h').prefault(
        ms(standard.snapshotIntervalMs),
      ),
      at: snapshotAt('any time').optional(),
      'max-age': snapshotMaxAge('never').optional(),
      retention: retention(ms(RETENTION_DEFAULTS.retentionMs)).optional(),
    })
    .prefault({}),
  retention: retentionField('all destinations').optional(),
  'l0-retention': duration(
    'minimum age of a file of level 0 that is deleted because it is merged; at least an hour passes after the merge (0: it stays as long as its state)',
    { example: '24h' },
  ).prefault(ms(RETENTION_DEFAULTS.l0RetentionMs)),
  levels: levels().optional(),
  'verify-compaction': boolean(
    'compare each merged file with the files that it was made of, before these may be removed',
    { example: false },
  ).prefault(standard.verifyCompaction),
  'shutdown-sync-timeout': duration(
    'at shutdown, how long to retry a destination after its first failure if nothing succeeds in between (0: one attempt); a destination that does not respond at all gets twice as long, 10 s to 60 s',
    { example: '45s' },
  ).prefault('30s'),
  'shutdown-sync-interval': duration(
    'time between attempts at shutdown; longer, up to 8 s, if access is denied or the bucket or folder is missing',
    {
      example: '250ms',
      min: INTERVAL_MS_MIN,
    },
  ).prefault('500ms'),
  'max-lag': maxLag(
    'if a commit older than this is missing at a destination, sluice status, /status and metrics report the database as unhealthy',
  ).prefault(ms(standard.maxLagMs)),
  'sync-interval': syncInterval('default for all destinations').prefault(
    ms(standard.syncIntervalMs),
  ),
  'snapshot-interval': snapshotInterval('default for all destinations', '6h').optional(),
  lease: leaseSection('no lease'),
  drill: drillSection(),
  scrub: scrubSection(),
  validation: z
    .strictObject({
      interval: validationInterval('like drill.every, as in Litestream 0.5', 'off').optional(),
    })
    .prefault({}),
  'validation-interval': validationInterval(
    'like drill.every; default for all destinations',
    'validation.interval',
  ).optional(),
  ...ENCRYPTION,
});

export type TopSection = z.output<typeof TOP>;

const databasePath = filePath('the database file; a leading sqlite:// is ignored', {
  example: '/data/other.db',
  check: (written) => problemWithPath(written.replace(SQLITE_SCHEME, '')),
}).transform(toDatabasePath);

export const DATABASE = z.strictObject({
  path: databasePath,
  ...DIRECTORY,
  'meta-path': filePath('the staging folder', {
    example: '/data/staging',
    defaultText: '.<name>-sluice next to the database',
    check: problemWithPath,
  })
    .transform((folder) => path.resolve(folder))
    .optional(),
  'monitor-interval': duration(
    'poll interval of an idle database, if a file event is missed; longer if many are closed',
    {
      example: '2s',
      min: INTERVAL_MS_MIN,
    },
  ).prefault(ms(standard.monitorIntervalMs)),
  'idle-close': duration(
    'close a database without commits after this time, until its files change (0: never); this saves memory and descriptors',
    { example: '1h' },
  ).prefault(ms(standard.idleCloseMs)),
  'max-lag': maxLag('max-lag of this database', 'top-level max-lag').optional(),
  'checkpoint-interval': duration(
    'checkpoint when the oldest frame that is not checkpointed reaches this age (0: never because of age)',
    { example: '2m' },
  ).prefault(ms(standard.checkpointIntervalMs)),
  'min-checkpoint-page-count': integer('checkpoint when the WAL reaches this number of pages', {
    example: 2_000,
    min: 1,
  }).prefault(standard.minCheckpointPageCount),
  'truncate-page-n': integer('truncate when the WAL file reaches this number of pages', {
    example: 200_000,
    min: 1,
  }).prefault(standard.truncatePageN),
  'busy-timeout': duration('how long to wait for a database lock when opening', {
    example: '2s',
  }).prefault(ms(standard.busyTimeoutMs)),
  'staging-max-bytes': size(
    'maximum size of files staged for destinations that are behind; beyond it they get a new full snapshot (10 % of the disk always stays free)',
    { example: '2GiB', min: STAGING_BYTES_MIN },
  ).prefault(formatBytes(standard.stagingMaxBytes).replace(' ', '')),
  'page-encoding': choice(
    'block can be read by Litestream 0.5.16 and later, frame by any 0.5',
    ['block', 'frame'],
    { example: 'frame' },
  ).prefault(standard.pageEncoding),
  'restore-if-db-not-exists': boolean(
    'restore the database before replication if it is missing and has a backup',
    {
      example: true,
    },
  ).prefault(false),
  snapshot: z
    .strictObject({
      interval: snapshotInterval('time between full snapshots of this database', '6h', {
        defaultText: 'top-level snapshot.interval',
      }).optional(),
      at: snapshotAt('top-level snapshot.at').optional(),
      'max-age': snapshotMaxAge('top-level snapshot.max-age').optional(),
      retention: retention(
        'top-level retention, otherwise top-level snapshot.retention',
      ).optional(),
    })
    .prefault({}),
  lease: leaseSection('top-level lease.ttl'),
  drill: drillSection('top-level'),
  scrub: scrubSection('top-level'),
  replica: field(
    {
      type: 'object',
      additionalProperties: true,
      description: 'the destination, if there is only one',
    },
    (value) => (isMap(value) ? value : new Invalid(`must be a map of keys${hintForText(value)}`)),
  ).optional(),
  replicas: list('list of destinations').optional(),
});

/** Only the paths, for databases whose other keys are invalid. */
export const DATABASE_PLACE = DATABASE.pick({ path: true, 'meta-path': true });

export type DatabaseSection = z.output<typeof DATABASE>;

/** Common keys of destinations. The backend reads the others. */
export const REPLICA = z.strictObject({
  type: text('file, s3, gs, abs, sftp, or the name of a package', {
    example: 'file',
    defaultText: 'type of url, otherwise file',
  }).optional(),
  name: text('name in logs, metrics and commands', {
    example: 'offsite',
    defaultText: 'the type, then s3-2, s3-3, …',
    check: (name) =>
      hasControlCharacter(name)
        ? `${JSON.stringify(name)} contains a line break or another control character`
        : undefined,
  }).optional(),
  path: text('folder of this database at the destination', { example: '/backup/other' }).optional(),
  url: text('type, place and settings in one URL', { example: 's3://bucket/app' }).optional(),
  'sync-interval': syncInterval('average time between uploads; see below', {
    defaultText: 'top-level sync-interval',
  }).optional(),
  'snapshot-interval': snapshotInterval('like snapshot.interval; see below', '6h', {
    defaultText: 'top-level snapshot-interval, otherwise snapshot.interval',
  }).optional(),
  ...LIMITS,
  lease: leaseSection('lease.ttl of the database'),
  retention: retentionField('this destination').optional(),
  'validation-interval': validationInterval(
    'drill.every of this destination',
    'drill.every',
  ).optional(),
  ...ENCRYPTION,
});

export type ReplicaSection = z.output<typeof REPLICA>;

export { toDatabasePath };
