/**
 * Every command and flag: ours, and all that Litestream 0.3 and 0.5 have. This table drives the
 * parser, the help, docs/commands.md and the test that tries each row.
 */

import { notYet, noted, refused, WORKS, type Support, type KnownBy } from '../support.ts';

export interface Flag {
  readonly name: string;
  /** A switch takes no value but `=true` and `=false`. */
  readonly kind: 'switch' | 'text';
  /** What stands for its value in the help. */
  readonly value?: string | undefined;
  readonly help: string;
  readonly knownBy: KnownBy;
  readonly support: Support;
}

export interface Command {
  readonly name: string;
  readonly usage: string;
  readonly help: string;
  readonly knownBy: KnownBy;
  readonly support: Support;
  /** The command that it is another name of. */
  readonly aliasOf?: string | undefined;
  readonly flags: readonly Flag[];
  /** Default: any number, or the command says which are too many. */
  readonly argumentsMax?: number | undefined;
  /** Said below the flags. */
  readonly examples?: readonly string[] | undefined;
}

type Rest = { readonly value?: string; readonly knownBy?: KnownBy; readonly support?: Support };

const flag = (name: string, help: string, rest: Rest = {}): Flag => ({
  name,
  kind: rest.value === undefined ? 'switch' : 'text',
  help,
  knownBy: 'both',
  support: WORKS,
  ...rest,
});

const CONFIG = flag('config', 'the configuration; see docs/configuration.md for the places', {
  value: 'PATH',
});
const NO_EXPAND = flag('no-expand-env', 'no $VAR expansion in the configuration');
const JSON_FLAG = flag('json', 'print JSON', { knownBy: '0.5' });
const LEVEL = flag('log-level', 'trace, debug, info, warn or error; wins over LOG_LEVEL', {
  value: 'LEVEL',
  knownBy: '0.5',
});
const REPLICA = flag('replica', 'this destination of the database only', {
  value: 'NAME',
  knownBy: '0.3',
});
const OURS: Rest = { knownBy: 'ours' };

const SOCKET = notYet(
  'a running replicator takes no orders',
  'change the configuration and restart it',
);
const OLD_BUCKET = notYet(
  'it asks for backups of Litestream 0.3, which this version cannot read',
  'restore them with Litestream 0.3.13',
);
const FOLLOW = notYet(
  'a restored database cannot follow its backup',
  'restore again, for example from a timer, with -force',
);

export const COMMANDS: readonly Command[] = [
  {
    name: 'replicate',
    usage: 'replicate [flags] [DB URL [URL…]]',
    help: 'follow databases and send what they commit to all their destinations',
    knownBy: 'both',
    support: WORKS,
    flags: [
      CONFIG,
      NO_EXPAND,
      flag('exec', 'run COMMAND beside it; end when it ends, with its exit code', {
        value: 'COMMAND',
      }),
      flag('once', 'bring every destination up to date, and end', { knownBy: '0.5' }),
      flag(
        'restore-if-db-not-exists',
        'first restore each database that is missing and has a backup; wait for every destination to answer',
        { knownBy: '0.5' },
      ),
      LEVEL,
      flag('json', 'print a report at the end', OURS),
      flag('force-snapshot', 'with -once: write a snapshot', {
        knownBy: '0.5',
        support: notYet(
          'a snapshot cannot be ordered',
          'leave it out: one is written where a destination has none, and by snapshot.interval',
        ),
      }),
      flag('enforce-retention', 'with -once: delete what retention no longer keeps', {
        knownBy: '0.5',
        support: notYet('this version deletes nothing', 'leave it out'),
      }),
    ],
    examples: [
      'sluice replicate',
      'sluice replicate /data/app.db s3://bucket/app.db file:///mnt/backup/app.db',
      'sluice replicate -exec "node server.js"',
    ],
  },
  {
    name: 'restore',
    usage: 'restore [flags] DB_PATH|URL',
    help: 'write a database as it was, from the destination with the newest state',
    knownBy: 'both',
    support: WORKS,
    flags: [
      CONFIG,
      NO_EXPAND,
      flag('o', 'where to write it; default: the path of the database', { value: 'PATH' }),
      flag('txid', 'as of this TXID', { value: 'HEX16', knownBy: '0.5' }),
      flag('timestamp', 'as of this moment, what was committed exactly then included', {
        value: 'RFC3339',
      }),
      REPLICA,
      flag('parallelism', 'reads at once; default 8', { value: 'N' }),
      flag(
        'if-db-not-exists',
        'exit 0 if the database already exists; else restore only if every destination answers',
      ),
      flag('if-replica-exists', 'exit 0 if there is no backup'),
      flag('force', 'replace the database, and its -wal, -shm and -journal', { knownBy: '0.5' }),
      flag('dry-run', 'say what would be read, and write nothing', { knownBy: '0.5' }),
      flag('integrity-check', 'none, quick or full: SQLite’s own check; default none', {
        value: 'MODE',
        knownBy: '0.5',
      }),
      LEVEL,
      JSON_FLAG,
      flag('f', 'follow the backup', { knownBy: '0.5', support: FOLLOW }),
      flag('follow-interval', 'how often', { value: 'D', knownBy: '0.5', support: FOLLOW }),
      flag('generation', 'of this generation', {
        value: 'ID',
        knownBy: '0.3',
        support: OLD_BUCKET,
      }),
      flag('index', 'up to this WAL index', { value: 'N', knownBy: '0.3', support: OLD_BUCKET }),
    ],
    examples: [
      'sluice restore /data/app.db',
      'sluice restore -timestamp 2026-01-31T12:00:00Z -o /tmp/app.db /data/app.db',
      'sluice restore -o /tmp/app.db s3://bucket/app.db',
    ],
  },
  {
    name: 'config',
    usage: 'config check [flags]',
    help: 'check: read the configuration, and say where each destination is, what has no effect and what is wrong',
    knownBy: 'ours',
    support: WORKS,
    flags: [
      { ...CONFIG, knownBy: 'ours' },
      { ...NO_EXPAND, knownBy: 'ours' },
      { ...JSON_FLAG, knownBy: 'ours' },
    ],
    argumentsMax: 1,
    examples: ['sluice config check', 'sluice config check -config /etc/sluice.yml -json'],
  },
  {
    name: 'databases',
    usage: 'databases [flags]',
    help: 'list the configured databases and their destinations',
    knownBy: 'both',
    support: WORKS,
    flags: [CONFIG, NO_EXPAND, JSON_FLAG],
    argumentsMax: 0,
  },
  ltx('ltx', '0.5', undefined, []),
  ltx('wal', 'both', 'ltx', [
    flag('generation', 'of this generation', { value: 'ID', knownBy: '0.3', support: OLD_BUCKET }),
  ]),
  {
    name: 'status',
    usage: 'status [flags] [DB_PATH]',
    help: 'how far each destination is, whether a replicator runs or not',
    knownBy: '0.5',
    support: WORKS,
    flags: [CONFIG, NO_EXPAND, JSON_FLAG],
    argumentsMax: 1,
  },
  {
    name: 'check',
    usage: 'check [flags] [NAME|URL]',
    help: 'put destinations to the test, in a place of its own beside the backups: what works, what does not, and what to do',
    knownBy: 'ours',
    support: WORKS,
    flags: [
      { ...CONFIG, knownBy: 'ours' },
      { ...NO_EXPAND, knownBy: 'ours' },
      { ...JSON_FLAG, knownBy: 'ours' },
    ],
    examples: [
      'sluice check',
      'sluice check s3-eu',
      'sluice check s3://bucket/app.db?region=eu-central-1',
    ],
  },
  {
    name: 'version',
    usage: 'version [flags]',
    help: 'print the version',
    knownBy: 'both',
    support: WORKS,
    flags: [
      flag('verbose', 'and those of Node and SQLite', { knownBy: '0.5' }),
      flag('json', 'print JSON', OURS),
    ],
    argumentsMax: 0,
  },
  gone('generations', '0.3', OLD_BUCKET, 'list the generations of a backup of 0.3'),
  gone(
    'snapshots',
    '0.3',
    refused('snapshots are LTX files of level 9', 'use "sluice ltx -level 9"'),
    'list snapshots',
  ),
  gone(
    'reset',
    '0.5',
    notYet(
      'local state cannot be cleared by a command',
      'stop the replicator and remove its staging folder (.<name>-sluice): the next start takes an image',
    ),
    'clear local state',
  ),
  gone('start', '0.5', SOCKET, 'begin with a database'),
  gone('stop', '0.5', SOCKET, 'stop with a database'),
  gone('register', '0.5', SOCKET, 'add a database'),
  gone('unregister', '0.5', SOCKET, 'remove a database'),
  gone(
    'sync',
    '0.5',
    notYet(
      'a running replicator takes no orders',
      'wait until "sluice status" says ok, or use "sluice replicate -once"',
    ),
    'sync now',
  ),
  gone(
    'list',
    '0.5',
    notYet('a running replicator cannot be asked', 'use "sluice status"'),
    'list what the replicator has',
  ),
  gone(
    'info',
    '0.5',
    notYet(
      'a running replicator cannot be asked',
      'use "sluice status", "sluice version -verbose"',
    ),
    'tell of the replicator',
  ),
];

function ltx(
  name: string,
  knownBy: KnownBy,
  aliasOf: string | undefined,
  more: readonly Flag[],
): Command {
  const level = flag('level', '0 to 9, or all; default 0', { value: 'LEVEL', knownBy: '0.5' });
  return {
    name,
    usage: `${name} [flags] DB_PATH|URL`,
    help:
      aliasOf === undefined ? 'list the LTX files of each destination' : `old name of ${aliasOf}`,
    knownBy,
    support: aliasOf === undefined ? WORKS : noted(`${name} is an old name: use ${aliasOf}`),
    aliasOf,
    flags: [CONFIG, NO_EXPAND, level, REPLICA, JSON_FLAG, ...more],
  };
}

function gone(name: string, knownBy: KnownBy, support: Support, help: string): Command {
  return { name, usage: name, help, knownBy, support, flags: [] };
}

export function findCommand(name: string): Command | undefined {
  return COMMANDS.find((command) => command.name === name);
}
