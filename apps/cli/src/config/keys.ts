/**
 * Every key of the configuration: ours, and all that Litestream 0.3 and 0.5 have. One table drives
 * the parser, the documentation and the test. Keys of a kind of destination are the backend's own.
 */

export type Scope = 'global' | 'database' | 'replica';

export interface Key {
  readonly scope: Scope;
  /** Dots go down: logging.level. */
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** Why it is refused, and what to use instead. Absent = it works. */
  readonly refused?: string;
}

const key = (scope: Scope, name: string, type: string, help: string): Key => ({
  scope,
  name,
  type,
  help,
});
const refuse = (scope: Scope, name: string, refused: string): Key => ({
  scope,
  name,
  type: '',
  help: '',
  refused,
});

const KEPT = 'accepted; nothing is deleted by this version, so everything younger is kept';
const NOT_YET_DIRECTORY = 'not yet: name each database under dbs with path';
const NOT_YET_DAEMON = 'not yet: a running daemon cannot be steered; leave it out';

export const KEYS: readonly Key[] = [
  key(
    'global',
    'addr',
    'address',
    'serve /metrics and /healthz; ":9090" listens on 127.0.0.1; off by default',
  ),
  key('global', 'exec', 'command', 'run beside it, end with it'),
  key(
    'global',
    'logging.level',
    'text',
    'trace, debug, info, warn, error; LOG_LEVEL wins; default info',
  ),
  key('global', 'logging.type', 'text', 'text, json or pretty; default text'),
  key('global', 'logging.stderr', 'boolean', 'log to stderr instead of stdout'),
  refuse('global', 'logging.source', 'not planned: lines name what they are about; leave it out'),
  key('global', 'snapshot.interval', 'duration', 'time between snapshots; default 24h'),
  key('global', 'snapshot.retention', 'duration', KEPT),
  key('global', 'retention.enabled', 'boolean', 'accepted; nothing is deleted by this version'),
  key('global', 'l0-retention', 'duration', KEPT),
  key('global', 'l0-retention-check-interval', 'duration', KEPT),
  key(
    'global',
    'shutdown-sync-timeout',
    'duration',
    'a destination without progress for so long is left behind at the end; default 30s',
  ),
  key(
    'global',
    'shutdown-sync-interval',
    'duration',
    'time between tries at the end; default 500ms',
  ),
  refuse(
    'global',
    'levels',
    'not yet: files are not merged into levels by this version; leave it out',
  ),
  refuse('global', 'verify-compaction', 'not yet: nothing is merged by this version; leave it out'),
  refuse('global', 'validation.interval', 'not yet: use "sluice restore -dry-run"'),
  refuse('global', 'heartbeat-url', 'not yet: watch /metrics (addr), or "sluice status -json"'),
  refuse(
    'global',
    'heartbeat-interval',
    'not yet: watch /metrics (addr), or "sluice status -json"',
  ),
  refuse('global', 'socket', NOT_YET_DAEMON),
  refuse('global', 'mcp-addr', 'not planned: use "sluice status -json"; leave it out'),

  key(
    'database',
    'path',
    'path',
    'the database; ~ is the home folder; sqlite:// in front is taken off',
  ),
  key(
    'database',
    'meta-path',
    'path',
    'staging folder; default .<name>-sluice beside the database',
  ),
  key('database', 'monitor-interval', 'duration', 'safety poll of an idle database; default 1s'),
  key(
    'database',
    'checkpoint-interval',
    'duration',
    'age of frames nobody checkpointed from which we do; default 1m; 0 = never',
  ),
  key(
    'database',
    'min-checkpoint-page-count',
    'number',
    'pages in the WAL from which it is checkpointed; default 1000',
  ),
  key(
    'database',
    'truncate-page-n',
    'number',
    'pages of WAL file from which it is truncated; default 121359',
  ),
  key(
    'database',
    'busy-timeout',
    'duration',
    'how long a first statement of ours waits; default 1s',
  ),
  key('database', 'staging-max-bytes', 'size', 'staged files may take so much; default 1GiB'),
  key(
    'database',
    'page-encoding',
    'text',
    'block (Litestream >= 0.5.16) or frame (every 0.5); default block',
  ),
  key(
    'database',
    'restore-if-db-not-exists',
    'boolean',
    'restore it before it is followed, where it is missing',
  ),
  key(
    'database',
    'snapshot.interval',
    'duration',
    'time between snapshots; default that of the top',
  ),
  key('database', 'snapshot.retention', 'duration', KEPT),
  key('database', 'replica', 'map', 'one destination'),
  key('database', 'replicas', 'list', 'any number of destinations'),
  refuse('database', 'dir', NOT_YET_DIRECTORY),
  refuse('database', 'pattern', NOT_YET_DIRECTORY),
  refuse('database', 'recursive', NOT_YET_DIRECTORY),
  refuse('database', 'watch', NOT_YET_DIRECTORY),
  refuse(
    'database',
    'meta-dir',
    'not yet: name the staging folder of each database with meta-path',
  ),
  refuse(
    'database',
    'max-checkpoint-page-count',
    'RESTART checkpoints stop writers; use truncate-page-n',
  ),
  refuse('database', 'max-sync-wal-bytes', 'memory is bounded without it; leave it out'),

  key('replica', 'name', 'text', 'how it is called; default its type (s3, then s3-2, …)'),
  key(
    'replica',
    'type',
    'text',
    'file, s3, or the name of a package; default that of url, else file',
  ),
  key('replica', 'path', 'text', 'where below the destination this database lies'),
  key('replica', 'url', 'text', 'all of it as a URL: s3://bucket/path, file:///folder'),
  key(
    'replica',
    'sync-interval',
    'duration',
    'at most one file per this time; the shortest of a database counts; default 1s',
  ),
  key(
    'replica',
    'snapshot-interval',
    'duration',
    'as snapshot.interval; the shortest of a database counts',
  ),
  key('replica', 'retention', 'duration', KEPT),
  key('replica', 'retention-check-interval', 'duration', KEPT),
  refuse('replica', 'validation-interval', 'not yet: use "sluice restore -dry-run"'),
  refuse('replica', 'max-sync-ltx-files', 'files are sent as they come; leave it out'),
  refuse('replica', 'auto-recover', 'not needed: in doubt an image is taken; leave it out'),
  refuse('replica', 'age', 'not yet: this version does not encrypt, and would store plaintext'),
];

/** Keys of a destination that may stand at the top, as defaults for those of type s3. */
export const S3_DEFAULT_KEYS: readonly string[] = [
  'access-key-id',
  'secret-access-key',
  'session-token',
  'region',
  'bucket',
  'endpoint',
  'force-path-style',
  'skip-verify',
  'sign-payload',
  'require-content-md5',
  'storage-class',
  'part-size',
  'concurrency',
  'sse-customer-algorithm',
  'sse-customer-key',
  'sse-customer-key-path',
  'sse-kms-key-id',
];

export function keysOf(scope: Scope): readonly Key[] {
  return KEYS.filter((row) => row.scope === scope);
}

/** Common keys of a replica that are ours to read, not the backend's. */
export const COMMON_REPLICA_KEYS: readonly string[] = keysOf('replica')
  .map((row) => row.name)
  .filter((name) => !['type', 'path', 'url', 'name'].includes(name));
