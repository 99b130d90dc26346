/**
 * Every command and flag: ours, and all that Litestream 0.3 and 0.5 have. One table drives the
 * parser, the documentation and the test: each row works, or is refused by name with the reason.
 */

export type FlagKind = 'switch' | 'text';

export interface Flag {
  readonly name: string;
  readonly kind: FlagKind;
  /** What to write for its value in the help. */
  readonly value?: string;
  readonly help: string;
  /** Why it is refused, and what to use instead. Absent = it works. */
  readonly refused?: string;
}

export interface Command {
  readonly name: string;
  readonly usage: string;
  readonly help: string;
  readonly flags: readonly Flag[];
  readonly refused?: string;
}

const flag = (name: string, help: string): Flag => ({ name, kind: 'switch', help });
const valued = (name: string, value: string, help: string): Flag => ({
  name,
  kind: 'text',
  value,
  help,
});
const refuse = (flag: Flag, refused: string): Flag => ({ ...flag, refused });

const CONFIG: readonly Flag[] = [
  valued(
    'config',
    'PATH',
    'configuration file (default: LITESTREAM_CONFIG, /etc/sluice.yml, /etc/litestream.yml)',
  ),
  flag('no-expand-env', 'no $VAR expansion in the configuration'),
];
const JSON_FLAG = flag('json', 'print JSON');
const LOG = valued('log-level', 'LEVEL', 'trace, debug, info, warn or error');

const LATER_SOCKET =
  'not yet: a running daemon cannot be steered; change the configuration and restart it';
const V3_ONLY =
  'belongs to buckets of Litestream 0.3, which are not yet restored; use Litestream 0.3.13';

export const COMMANDS: readonly Command[] = [
  {
    name: 'replicate',
    usage: 'replicate [flags] [DB URL [URL…]]',
    help: 'follow databases and send what they commit to their destinations',
    flags: [
      ...CONFIG,
      valued('exec', 'COMMAND', 'run a command beside it, end with it, with its exit code'),
      flag('once', 'bring every destination up to date, then end'),
      flag('restore-if-db-not-exists', 'restore a database that is missing before it is followed'),
      LOG,
      JSON_FLAG,
      refuse(
        flag('force-snapshot', ''),
        'not yet: snapshots are taken at the start and by snapshot.interval',
      ),
      refuse(flag('enforce-retention', ''), 'not yet: nothing is deleted by this version'),
    ],
  },
  {
    name: 'restore',
    usage: 'restore [flags] DB_PATH|URL',
    help: 'write a database as it was, from a destination',
    flags: [
      ...CONFIG,
      valued('o', 'PATH', 'where to (default: the path of the database)'),
      valued('txid', 'HEX16', 'as of this TXID'),
      valued('timestamp', 'RFC3339', 'as of this moment: everything committed at or before it'),
      valued('replica', 'NAME', 'from this destination only'),
      valued('parallelism', 'N', 'reads at once (default 8)'),
      flag('if-db-not-exists', 'do nothing, successfully, where the database exists'),
      flag('if-replica-exists', 'do nothing, successfully, where there is no backup'),
      flag('force', 'replace what is there'),
      flag('dry-run', 'print what would be read'),
      valued(
        'integrity-check',
        'none|quick|full',
        "SQLite's own check of the result (default none)",
      ),
      LOG,
      JSON_FLAG,
      refuse(flag('f', ''), 'not yet: a restored database does not follow its backup'),
      refuse(
        valued('follow-interval', 'D', ''),
        'not yet: a restored database does not follow its backup',
      ),
      refuse(valued('generation', 'ID', ''), V3_ONLY),
      refuse(valued('index', 'N', ''), V3_ONLY),
    ],
  },
  {
    name: 'databases',
    usage: 'databases [flags]',
    help: 'list the configured databases and their destinations',
    flags: [...CONFIG, JSON_FLAG],
  },
  {
    name: 'ltx',
    usage: 'ltx [flags] DB_PATH|URL',
    help: 'list the LTX files of a destination',
    flags: [
      ...CONFIG,
      valued('level', '0-9|all', 'of this level (default all)'),
      valued('replica', 'NAME', 'of this destination'),
      JSON_FLAG,
    ],
  },
  {
    name: 'status',
    usage: 'status [flags] [DB_PATH]',
    help: 'what is replicated, how far, and since when, while the daemon runs and when it does not',
    flags: [...CONFIG, JSON_FLAG],
  },
  {
    name: 'version',
    usage: 'version [flags]',
    help: 'print the version',
    flags: [flag('verbose', 'and those of Node and SQLite'), JSON_FLAG],
  },
  ...refusedCommands(),
];

function refusedCommands(): Command[] {
  const rows: readonly [string, string][] = [
    ['wal', 'is now ltx: Litestream keeps the name as a deprecated alias; use "sluice ltx"'],
    ['generations', V3_ONLY],
    ['snapshots', 'is now ltx: use "sluice ltx -level 9"'],
    [
      'reset',
      'not yet: stop the daemon and remove the staging folder (.<name>-sluice); the next start takes an image',
    ],
    ['start', LATER_SOCKET],
    ['stop', LATER_SOCKET],
    ['sync', 'not yet: use "sluice replicate -once", or wait for lag 0 in "sluice status"'],
    ['register', LATER_SOCKET],
    ['unregister', LATER_SOCKET],
    ['list', 'not yet: use "sluice status"'],
    ['info', 'not yet: use "sluice status" and "sluice version -verbose"'],
  ];
  return rows.map(([name, refused]) => ({ name, usage: name, help: '', flags: [], refused }));
}

export function findCommand(name: string): Command | undefined {
  return COMMANDS.find((command) => command.name === name);
}
