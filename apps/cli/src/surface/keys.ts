/**
 * Every key of the configuration: ours, and all that Litestream 0.3 and 0.5 have. This table drives
 * the parser, docs/configuration.md and the test that tries each row. `keys-replica.ts` has those
 * of destinations.
 */

import { notYet, notYetUnless, refused } from './fate.ts';
import {
  BOOLEAN,
  COUNT,
  DURATION,
  INTERVAL,
  MAX_LAG,
  NOTHING_IS_DELETED,
  rowOf,
  SIZE,
  SNAPSHOT_INTERVAL,
  TEXT,
  type Key,
  type KeyType,
  type Scope,
} from './key.ts';
import { REPLICA_KEYS } from './keys-replica.ts';

const MAP: KeyType = { kind: 'map' };
const LIST: KeyType = { kind: 'list' };
const BOTH = { knownBy: 'both' } as const;

const global = rowOf('global');
const database = rowOf('database');

const FOLDERS = notYet(
  'databases are not found in folders',
  'name each database under dbs, by its path',
);
const WATCHING = notYet('nothing is pinged', 'watch /metrics (addr), or "sluice status"');
const NO_SOCKET = ['a running replicator takes no orders', 'leave it out'] as const;

export const GLOBAL_KEYS: readonly Key[] = [
  global('dbs', LIST, '[]', 'the databases', BOTH),
  global('addr', TEXT, '":9091"', '/metrics and /healthz are served here; ":9090" is 127.0.0.1', {
    ...BOTH,
    standard: 'off',
  }),
  global('exec', TEXT, 'sleep 1', 'a command that is run beside it, as -exec', BOTH),
  global(
    'logging.level',
    { kind: 'choice', values: ['trace', 'debug', 'info', 'warn', 'error'] },
    'debug',
    'what is logged; -log-level and LOG_LEVEL win over it',
    { ...BOTH, standard: 'info' },
  ),
  global(
    'logging.type',
    { kind: 'choice', values: ['text', 'json', 'pretty'] },
    'json',
    'how a line looks; pretty is for eyes only',
    { ...BOTH, standard: 'text' },
  ),
  global('logging.stderr', BOOLEAN, 'true', 'log to stderr instead of stdout', {
    ...BOTH,
    standard: 'false',
  }),
  global('logging.source', BOOLEAN, 'true', 'file and line of our source in each line', {
    fate: refused('lines say what they are about, not where they were written', 'leave it out'),
  }),
  global('snapshot.interval', SNAPSHOT_INTERVAL, '12h', 'time between snapshots', {
    standard: '24h',
  }),
  global('snapshot.retention', DURATION, '48h', 'how long snapshots are kept', {
    fate: NOTHING_IS_DELETED,
  }),
  global('retention.enabled', BOOLEAN, 'true', 'whether anything is deleted', {
    fate: NOTHING_IS_DELETED,
  }),
  global('l0-retention', DURATION, '10m', 'how long files of level 0 are kept', {
    fate: NOTHING_IS_DELETED,
  }),
  global('l0-retention-check-interval', DURATION, '30s', 'how often that is looked at', {
    fate: NOTHING_IS_DELETED,
  }),
  global(
    'shutdown-sync-timeout',
    DURATION,
    '45s',
    'at the end, a destination is left behind so long after its first failure if nothing has succeeded since, and one that says nothing after twice as long (10 s to a minute); 0: at its first failure',
    { standard: '30s' },
  ),
  global('shutdown-sync-interval', INTERVAL, '250ms', 'time between tries at the end', {
    standard: '500ms',
  }),
  global(
    'max-lag',
    MAX_LAG,
    '5m',
    'a commit that is older than this and not at every destination is a fault: status, /healthz and metrics say so',
    { knownBy: 'ours', standard: '1m' },
  ),
  global('levels', LIST, '[{ interval: 30s }]', 'levels that files are merged into', {
    fate: notYet('files are not merged into levels', 'leave it out; Litestream can merge them'),
  }),
  global('verify-compaction', BOOLEAN, 'true', 'check what was merged', {
    fate: notYetUnless('false', 'files are not merged into levels', 'leave it out'),
  }),
  global('validation.interval', DURATION, '1h', 'look for gaps', {
    fate: notYet('backups are not checked by themselves', 'use "sluice restore -dry-run"'),
  }),
  global('heartbeat-url', TEXT, 'https://example.com/ping', 'ping this while all is well', {
    fate: WATCHING,
  }),
  global('heartbeat-interval', DURATION, '5m', 'how often', { fate: WATCHING }),
  global('socket.enabled', BOOLEAN, 'true', 'a socket for orders', {
    fate: notYetUnless('false', ...NO_SOCKET),
  }),
  global('socket.path', TEXT, '/var/run/litestream.sock', 'where', {
    fate: notYet(...NO_SOCKET),
  }),
  global('socket.permissions', TEXT, '"0600"', 'for whom', { fate: notYet(...NO_SOCKET) }),
  global('mcp-addr', TEXT, '":3001"', 'tools for language models', {
    fate: notYet('there is no MCP server', 'use the commands with -json'),
  }),
];

const DATABASE_KEYS: readonly Key[] = [
  database('path', TEXT, '/data/other.db', 'the database; sqlite:// before it is taken off', BOTH),
  database('meta-path', TEXT, '/data/staging', 'the staging folder', {
    ...BOTH,
    standard: '.<name>-sluice beside the database',
  }),
  database('monitor-interval', INTERVAL, '2s', 'safety poll of an idle database', {
    ...BOTH,
    standard: '1s',
  }),
  database('max-lag', MAX_LAG, '5m', 'as max-lag at the top', {
    knownBy: 'ours',
    standard: 'max-lag',
  }),
  database(
    'checkpoint-interval',
    DURATION,
    '2m',
    'age of frames that nobody has checkpointed from which we do; 0: not for their age',
    { ...BOTH, standard: '1m' },
  ),
  database(
    'min-checkpoint-page-count',
    COUNT,
    '2000',
    'pages in the WAL from which it is checkpointed',
    { ...BOTH, standard: '1000' },
  ),
  database('truncate-page-n', COUNT, '200000', 'pages of WAL file from which it is truncated', {
    standard: '121359',
  }),
  database('busy-timeout', DURATION, '2s', 'how long a first statement of ours waits for a lock', {
    standard: '1s',
  }),
  database(
    'staging-max-bytes',
    { kind: 'size', leastBytes: 1024 ** 2 },
    '2GiB',
    'what destinations that are behind may hold on this disk, a tenth of which stays free; beyond it they are seeded anew',
    { knownBy: 'ours', standard: '1GiB' },
  ),
  database(
    'page-encoding',
    { kind: 'choice', values: ['block', 'frame'] },
    'frame',
    'block needs Litestream 0.5.16 or later to read it, frame any 0.5',
    { knownBy: 'ours', standard: 'block' },
  ),
  database(
    'restore-if-db-not-exists',
    BOOLEAN,
    'true',
    'restore it first, where it is missing and has a backup',
    { standard: 'false' },
  ),
  database(
    'snapshot.interval',
    SNAPSHOT_INTERVAL,
    '6h',
    'time between snapshots of this database',
    { standard: 'that of the top' },
  ),
  database('snapshot.retention', DURATION, '48h', 'how long its snapshots are kept', {
    fate: NOTHING_IS_DELETED,
  }),
  database('replica', MAP, '{ path: /backup/other }', 'its one destination'),
  database('replicas', LIST, '[{ path: /backup/other }]', 'its destinations, any number', BOTH),
  database('dir', TEXT, '/data', 'all databases in a folder', { fate: FOLDERS }),
  database('pattern', TEXT, '"*.db"', 'which of them', { fate: FOLDERS }),
  database('recursive', BOOLEAN, 'true', 'and in folders below', { fate: FOLDERS }),
  database('watch', BOOLEAN, 'true', 'and those that come', { fate: FOLDERS }),
  database('meta-dir', TEXT, '/data/meta', 'root of their staging folders', {
    fate: notYet('databases are not found in folders', 'use meta-path for each database'),
  }),
  database('max-checkpoint-page-count', COUNT, '10000', 'pages for a RESTART checkpoint', {
    knownBy: '0.3',
    fate: refused('RESTART checkpoints stop writers for long', 'use truncate-page-n'),
  }),
  database('max-sync-wal-bytes', SIZE, '64MiB', 'WAL read at a time', {
    fate: refused('memory is bounded without it', 'leave it out'),
  }),
];

/** A key of destinations that is a default for all of them where it stands at the top. */
const DEFAULTS: readonly Key[] = REPLICA_KEYS.filter(
  (key) => !['name', 'type', 'path', 'url'].includes(key.name),
).map((key) => ({ ...key, scope: 'global' }));

export const KEYS: readonly Key[] = [
  ...GLOBAL_KEYS,
  ...DEFAULTS,
  ...DATABASE_KEYS,
  ...REPLICA_KEYS,
];

export function keysOf(scope: Scope): readonly Key[] {
  return KEYS.filter((key) => key.scope === scope);
}
