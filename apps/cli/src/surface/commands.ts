/**
 * All commands and flags of Sluice and of Litestream 0.3 and 0.5. The parser, the help,
 * docs/commands.md and a test of each row are built from this table.
 */

import { flag, type Command, type Flag } from './command.ts';
import { CONFIG, JSON_FLAG, LEVEL, NO_EXPAND, OURS, OWN_FLAGS, REPLICA } from './common-flags.ts';
import { CONTROL } from './control.ts';
import { KEYS } from './keys.ts';
import { PROMOTE } from './promote.ts';
import { PROOFS } from './proofs.ts';
import { REFUSED_COMMANDS } from './refused.ts';
import { REPAIR } from './repair.ts';
import { COMPLETION, DIAGNOSE, INIT, MCP, VERSION, WATCH } from './support-commands.ts';
import { notYet, noted, refused, WORKS, type KnownBy } from '../support.ts';

export const COMMANDS: readonly Command[] = [
  {
    name: 'replicate',
    usage: 'replicate [flags] [DB URL [URL…]]',
    help: 'replicate every commit of the databases to all their destinations',
    knownBy: 'both',
    support: WORKS,
    flags: [
      CONFIG,
      NO_EXPAND,
      flag('exec', 'run COMMAND; exit when it exits, with its exit code', {
        value: 'COMMAND',
      }),
      flag('once', 'bring every destination up to date, then exit', { knownBy: '0.5' }),
      flag(
        'restore-if-db-not-exists',
        'first restore missing databases that have a backup; wait until every destination answers',
        { knownBy: '0.5' },
      ),
      flag(
        'take-over',
        'also write to replicas that belong to another replicator, which must have ended',
        OURS,
      ),
      flag('no-wait', 'exit with 14 if another replicator holds the lease of a destination', OURS),
      LEVEL,
      flag('json', 'print a report at the end', OURS),
      flag('force-snapshot', 'with -once: write a snapshot', {
        knownBy: '0.5',
        support: notYet(
          'a snapshot cannot be requested',
          'remove the flag: a snapshot is written if a destination has none, and by snapshot.interval',
        ),
      }),
      flag('enforce-retention', 'with -once: delete files that have passed their retention', {
        knownBy: '0.5',
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
    help: 'restore the newest state of a database from all its destinations together',
    knownBy: 'both',
    support: WORKS,
    flags: [
      CONFIG,
      NO_EXPAND,
      flag('o', 'output path, whose folders are created; default: the path of the database', {
        value: 'PATH',
      }),
      flag('txid', 'restore the state at this TXID', { value: 'HEX16', knownBy: '0.5' }),
      flag(
        'timestamp',
        'restore the last state at or before this time: RFC 3339, local ("2026-01-31 14:00") or relative ("2h ago")',
        { value: 'TIME' },
      ),
      REPLICA,
      flag('parallelism', 'concurrent reads; default 16, at most 8 of them in large files', {
        value: 'N',
      }),
      flag(
        'if-db-not-exists',
        'exit 0 if the database already exists; otherwise restore only if every destination answers',
      ),
      flag('if-replica-exists', 'exit 0 if there is no backup'),
      flag(
        'force',
        'replace the database, and its -wal, -shm and -journal; keep the old file as NAME.before-TIME',
        { knownBy: '0.5' },
      ),
      flag('no-keep', 'with -force: do not keep the old file', OURS),
      flag('dry-run', 'list the files that would be read, and write nothing', { knownBy: '0.5' }),
      flag('integrity-check', 'run SQLite’s own check: none, quick or full; default none', {
        value: 'MODE',
        knownBy: '0.5',
      }),
      LEVEL,
      { ...JSON_FLAG, help: 'print JSON, and progress as JSON on stderr' },
      flag(
        'resume',
        'download the files beside the output first and keep them on failure, so that the same command continues',
        OURS,
      ),
      flag('f', 'keep the restored database up to date until a signal ends it: a warm copy', {
        knownBy: '0.5',
      }),
      flag('follow-interval', 'with -f: time between two looks at the destination; default 1s', {
        value: 'D',
        knownBy: '0.5',
      }),
      flag('generation', 'restore this generation of a backup of Litestream 0.3', {
        value: 'ID',
        knownBy: '0.3',
      }),
      flag('index', 'with -generation: restore up to the end of this WAL (hexadecimal)', {
        value: 'HEX',
        knownBy: '0.3',
      }),
    ],
    examples: [
      'sluice restore /data/app.db',
      'sluice restore -timestamp 2026-01-31T12:00:00Z -o /tmp/app.db /data/app.db',
      'sluice restore -timestamp "2h ago" -o /tmp/app.db /data/app.db',
      'sluice restore -o /tmp/app.db s3://bucket/app.db',
      'sluice restore -f -o /data/copy.db s3://bucket/app.db',
    ],
  },
  PROMOTE,
  ...PROOFS,
  REPAIR,
  ...KEYS,
  INIT,
  {
    name: 'migrate',
    usage: 'migrate [flags]',
    help: 'write sluice.yml from a litestream.yml: show what each key becomes, and check that each backup can be restored',
    knownBy: 'ours',
    support: WORKS,
    flags: [
      flag(
        'config',
        'the file of Litestream 0.3 or 0.5; default: LITESTREAM_CONFIG, ./litestream.yml or /etc/litestream.yml',
        { value: 'PATH', ...OURS },
      ),
      { ...NO_EXPAND, knownBy: 'ours' },
      flag('o', 'output file; default sluice.yml', { value: 'PATH', ...OURS }),
      flag('dry-run', 'print the file instead of writing it', OURS),
      flag(
        'restore-check',
        'restore each backup to a temporary folder, and run integrity_check',
        OURS,
      ),
      flag('no-check', 'do not connect to the destinations', OURS),
      flag('force', 'replace the output file', OURS),
      flag('json', 'print JSON', OURS),
    ],
    argumentsMax: 1, // refused with advice
    examples: [
      'sluice migrate -dry-run',
      'sluice migrate -config /etc/litestream.yml -o /etc/sluice.yml -restore-check',
    ],
  },
  {
    name: 'config',
    usage: 'config check [flags]',
    help: 'check the configuration: list its destinations, its ignored settings and its problems',
    knownBy: 'ours',
    support: WORKS,
    flags: OWN_FLAGS,
    argumentsMax: 2, // a second one is refused with advice
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
    flag('generation', 'list the WAL of this generation', {
      value: 'ID',
      knownBy: '0.3',
      support: refused(
        'wal lists LTX files',
        'use "sluice restore -dry-run -generation ID", which lists the WAL segments of Litestream 0.3',
      ),
    }),
  ]),
  {
    name: 'generations',
    usage: 'generations [flags] DB_PATH|URL',
    help: 'list the backups of Litestream 0.3 at each destination',
    knownBy: '0.3',
    support: WORKS,
    flags: [CONFIG, NO_EXPAND, REPLICA, { ...JSON_FLAG, knownBy: 'ours' }],
    examples: ['sluice generations /data/app.db', 'sluice generations s3://bucket/app.db'],
  },
  {
    name: 'status',
    usage: 'status [flags] [DB_PATH]',
    help: 'show the state of each database and destination; works without a running replicator',
    knownBy: '0.5',
    support: WORKS,
    flags: [CONFIG, NO_EXPAND, JSON_FLAG, WATCH],
    argumentsMax: 1,
    examples: ['sluice status', 'sluice status -watch=30s /data/app.db'],
  },
  {
    name: 'check',
    usage: 'check [flags] [NAME|URL]',
    help: 'test a destination without touching its backups: what works, what does not, how to fix it',
    knownBy: 'ours',
    support: WORKS,
    flags: OWN_FLAGS,
    examples: [
      'sluice check',
      'sluice check s3-eu',
      'sluice check s3://bucket/app.db?region=eu-central-1',
    ],
  },
  VERSION,
  DIAGNOSE,
  MCP,
  COMPLETION,
  ...CONTROL,
  ...REFUSED_COMMANDS,
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

export function findCommand(name: string): Command | undefined {
  return COMMANDS.find((command) => command.name === name);
}
