/** Builds docs/commands.md from the table of commands. */

import type { CheckFeature } from '@sluice/core';
import { nameOf } from '../../src/help.ts';
import type { Command, Flag } from '../../src/surface/command.ts';
import { COMMANDS } from '../../src/surface/commands.ts';
import { code, knownBy, page, reason, table } from './markdown.ts';

/** The output of `-json`. Keys that Litestream has keep its names. */
const JSON_SHAPES: Readonly<Record<string, string>> = {
  replicate: `At the end, on stdout (with \`-json\` the log goes to stderr):

\`\`\`json
{"databases":[{"path":"/data/app.db","txid":"000000000000002a","healthy":false,
  "problems":[{"stage":"send","destination":"file","message":"file has failed for 31 s: …"}],"destinations":[
  {"name":"s3","target":"s3://bucket/app.db","txid":"000000000000002a","complete":"complete"},
  {"name":"file","target":"file:///mnt/backup","txid":"0000000000000029","complete":"behind",
   "cause":{"code":"REPLICA_UNAVAILABLE","message":"…"}}]}]}
\`\`\``,
  restore: `One line. The first five keys are Litestream's. \`avoided\` lists damaged files that others replaced: \`file\`, \`source\`,
\`code\` and \`message\`. With \`-force\`, \`kept\` is the new name of the file that was replaced, and \`still_open_in\` lists the processes that
had it open (\`pid\`, \`name\`). \`kept_wal\` is its WAL, if a process had it open. \`owner\` (\`uid\`, \`gid\`, \`like\`) is set if the file does not belong to the user that ran the command: it
gets the owner and the mode of the file that it replaces, or the owner of its folder if root restores. If there was nothing to do, it is
\`{"db_path":…,"skipped":"exists"}\` or \`{"skipped":"no backup","looked_at":["s3://bucket/app.db"]}\`.

\`\`\`json
{"db_path":"/data/app.db","replica":"s3","txid":"000000000000002a","duration_ms":812,"integrity_check":"none",
 "target":"s3://bucket/app.db","timestamp":"2026-01-31T12:00:00.000Z","files_read":3,"bytes_read":81234,"avoided":[]}
\`\`\`

A time is RFC 3339 (\`2026-01-31T12:00:00Z\`), local (\`2026-01-31 14:00\`, \`today 09:30\`, \`yesterday 14:00\`) or relative (\`30s ago\`,
\`2h\`, \`3 days ago\`). The state as of a time is the last one written at or before it. All commits in one LTX file have the time of the
last one, so the resolution is the time between two states: \`sync-interval\` where every file is still there, and more where files were
merged. With \`-timestamp\`, the result names the next state too; without one, nothing newer is stored there. \`doubt\`, if present, says
why another state may have been meant:

\`\`\`json
{…,"timestamp":"2026-01-31T12:00:00.000Z","requested":"2026-01-31T12:00:00.600Z","resolution_ms":1000,
 "next_txid":"000000000000002b","next_timestamp":"2026-01-31T12:00:01.000Z"}
\`\`\`

With \`-dry-run\` (Litestream's keys, and the same ones for \`-timestamp\`):

\`\`\`json
{"source":"s3://bucket/app.db","target_path":"/data/app.db","replica":"s3","min_txid":"0000000000000001",
 "max_txid":"000000000000002a","files":[{"level":9,"name":"0000000000000001-0000000000000029.ltx",
 "min_txid":"0000000000000001","max_txid":"0000000000000029","size":80000,"timestamp":"2026-01-31T12:00:00.000Z"}]}
\`\`\``,
  history: `A moment is a state that can be restored: use its time with \`restore -timestamp\`, or its TXID with \`restore -txid\`. Between two
moments, the first one is restored. In a gap files are missing, so a time in it is refused. The timeline has one character for each equal
part of the time: \`0\` to \`8\` is the lowest level with files (the lower, the more moments), \`S\` a snapshot, \`!\` a gap. Lists are newest
first; those of spans, gaps and snapshots have up to 100 entries. One listing for each destination, and a header for each time that is shown.

A file whose header is damaged is left out, and named in \`unreadable\`: its file, the code and the message.

\`\`\`json
[{"replica":"s3","target":"s3://bucket/app.db",
  "first":{"txid":"0000000000000001","timestamp":"2026-01-30T12:00:00.000Z"},
  "newest":{"txid":"000000000000002a","timestamp":"2026-01-31T12:00:00.000Z"},
  "moments_total":40,"moments":[{"txid":"000000000000002a","timestamp":"2026-01-31T12:00:00.000Z","level":0}],
  "spans_total":1,"spans":[{"level":0,"from":{"txid":…},"to":{"txid":…},"files":37,"resolution_ms":1000}],
  "gaps_total":1,"gaps":[{"from_txid":"0000000000000003","to_txid":"0000000000000004","before":{"txid":…},"after":{"txid":…}}],
  "snapshots_total":1,"snapshots":[{"txid":"0000000000000005","timestamp":"2026-01-30T13:00:00.000Z","size":80000}],
  "levels":[{"level":0,"files":41,"size":167936},{"level":9,"files":1,"size":80000}]},
 {"replica":"file","target":"file:///mnt/backup","error":{"code":"REPLICA_UNAVAILABLE","message":"…"}}]
\`\`\``,
  drill: `One object per destination. \`result\` is \`ok\`, \`failed\` or \`inconclusive\`; then \`problems\` says why, with the
[error code](errors.md) and, for a damaged file, \`object\`. \`restore_ms\` is the time to connect, list and restore (RTO).
\`loss_window_ms\` is the upper bound of what would be lost, as an age (RPO). \`comparison\` is \`equal\` (the number of \`pages\`, and of those \`skipped\`), \`different\` (the number of
\`pages\`, and the \`first\`) or \`not compared\`, with the reason. What the drill did not get to is left out:

\`\`\`json
[{"database":"/data/app.db","name":"s3","type":"s3","target":"s3://bucket/app.db","result":"ok",
  "at":"2026-01-31T12:00:00.000Z","txid":"000000000000002a","timestamp":"2026-01-31T11:59:58.100Z",
  "newest_txid":"000000000000002a","restore_ms":812,"loss_window_ms":0,"files_listed":9,"files_read":3,"bytes_read":81234,
  "size":122880,"assertions":[{"sql":"SELECT count(*) FROM orders","holds":true}],"comparison":{"kind":"equal","pages":30,"skipped":0},
  "problems":[]}]
\`\`\``,
  config: `\`file\`, \`notes\` and \`databases\` if it is valid; otherwise \`problems\`, and exit code 2:

\`\`\`json
{"ok":false,"problems":[{"line":4,"key":"dbs[0].replica.bukcet","message":"dbs[0].replica: bukcet is not a key of s3: did you mean bucket?"}]}
\`\`\``,
  databases: `\`path\` and \`replica\` (the type of the first destination) are Litestream's:

\`\`\`json
[{"path":"/data/app.db","replica":"s3","destinations":[{"name":"s3","type":"s3","target":"s3://bucket/app.db"}]}]
\`\`\``,
  ltx: `The first five keys are Litestream's; \`replica\` names the destination:

\`\`\`json
[{"level":0,"min_txid":"000000000000002a","max_txid":"000000000000002a","size":1234,
  "timestamp":"2026-01-31T12:00:00.000Z","name":"000000000000002a-000000000000002a.ltx","replica":"s3"}]
\`\`\``,
  status: `The first four keys are Litestream's. \`status\` is \`ok\`, \`not initialized\`, \`no database\` or \`error\`.
The \`state\` of a destination is \`ok\`, \`behind\`, \`failing\` (see \`problems\`), \`empty\`, \`damaged\` (files are missing, so the
newest state cannot be restored from it), or an [error code](errors.md): the listing failed, or the destination refuses snapshots.
\`healthy\` matches the exit code. \`problems\` are sorted by the path of a commit, from the database to the destination.
\`commits_seen\` counts from the start of the replicator. \`fencing\` shows whether conditional writes work there: \`honored\`,
\`small files only\`, \`off\` (ignored or unknown: a second replicator would not be refused), \`not claimed\`, or \`unproved\` before the
first small file.

\`\`\`json
[{"database":"/data/app.db","status":"ok","local_txid":"000000000000002a","wal_size":123632,
  "replicator":"replicator 4711 is running","commits_seen":1042,"healthy":true,"problems":[],"destinations":[{"name":"s3","type":"s3","target":"s3://bucket/app.db",
  "state":"ok","txid":"000000000000002a","lag_seconds":0,"size":912345,"fencing":"honored",
  "last_success_at":"2026-01-31T12:00:00.000Z"}]}]
\`\`\`

After a [drill](#drill), a destination also has \`drill\`: \`result\`, \`at\`, \`age_seconds\`, \`txid\`, \`restore_ms\`, \`loss_window_ms\`,
\`problems\` and \`last_success_at\`.`,
  check: `One object per destination. \`verdict\` is \`works\`, \`does not\` or \`not judged\`; \`code\` is the
[error code](errors.md), if there was an error; \`missing\` is the permission that was denied: \`list\`, \`read\`, \`write\`, \`replace\`,
\`delete\` or \`abort\`. \`next\` says how to fix it, with the provider's name of the permission. \`left\` lists the keys that could not
be deleted.

\`\`\`json
[{"name":"s3","type":"s3","target":"s3://bucket/app.db","others":0,"path":"app.db/.sluice-check-5f1c0a9e7b32","ok":true,
  "features":[{"feature":"reach","verdict":"works","seen":"s3://bucket answers"},
  {"feature":"if-absent","verdict":"does not","seen":"this server ignores conditional writes: fencing is off",
   "next":"replication works without it; make sure that only one replicator writes to this path"}],
  "write_ms":12.4,"read_ms":9.1,"up_bytes_per_second":31457280,"down_bytes_per_second":62914560,"left":[]}]
\`\`\``,
  init: `The absolute path of the file: \`{"file":"/srv/sluice.yml"}\`.`,
  migrate: `\`becomes\` is null for a key that is left out. \`written\` is false with \`-dry-run\`, which adds the file as \`text\`, and
after a failed check; then \`ok\`, \`code\` and \`message\` of a destination say why. \`restored_ms\` comes with \`-restore-check\`.

\`\`\`json
{"source":"/etc/litestream.yml","file":"/etc/sluice.yml","written":true,
 "keys":[{"key":"dbs[0].replicas[0].retention","becomes":null,"note":"this version deletes nothing"}],
 "destinations":[{"database":"/data/app.db","name":"s3","type":"s3","target":"s3://bucket/app.db","ok":true,
  "txid":"000000000000002a","timestamp":"2026-01-31T12:00:00.000Z","files":3,"size":81234,"restored_ms":812}],
 "secret_files":["/etc/sluice-secrets/secret-access-key"]}
\`\`\``,
  version: `\`{"version":"1.0.0"}\`, and with \`-verbose\` also \`node\`, \`sqlite\` and \`platform\`.`,
};

/** The features, in the order in which core checks them. */
const CHECKED: readonly (readonly [CheckFeature, string])[] = [
  ['reach', 'the bucket or folder exists and can be reached with these credentials'],
  ['write', 'small files can be written'],
  ['list', 'written files are listed at once, by level and from a TXID'],
  ['read', 'files are read back byte for byte'],
  ['ranges', 'parts of files can be read'],
  ['large', 'a file of several parts can be written and read back'],
  ['abort', 'an aborted large write leaves neither a file nor parts that cost money'],
  [
    'if-absent',
    'a second write of the same key is refused, so two replicators cannot mix their files',
  ],
  ['if-absent-large', 'the same for a file that is written in parts'],
  [
    'objects',
    'a small named object can be written, read and listed (`lock.json`, used for a lease)',
  ],
  [
    'if-version',
    'replacing an object is refused if its version has changed, so a lease can be held',
  ],
  ['delete', 'files can be deleted and are then no longer listed'],
];

const MORE: Readonly<Record<string, string>> = {
  replicate: `Each destination has its own position and retries on its own; none waits for another.

SIGINT, SIGTERM, SIGHUP and SIGQUIT end the process after a last sync. Each destination stops when it has everything, or
\`shutdown-sync-timeout\` after its first failure if nothing succeeded since. The exit code is 0 only if all destinations have
everything, otherwise [3](errors.md#exit-codes); the log then names each destination that is behind, its TXID and the cause. A
second signal exits at once. \`-once\` ends by the same rules. A copy of a signal within one second does not count as a second one,
because supervisors may signal both the process and its group.

\`-exec\` splits its command into words like a shell, but without variables and operators: for those write \`sh -c '…'\`.
Every signal is passed on to the command once. When the command exits, Sluice does a last sync and exits with the same code. If Sluice
fails or receives a second signal, it also stops the command. It cannot react to SIGKILL: then a container stops the command, and so does
systemd (by its default \`KillMode=control-group\`); elsewhere, stop the command before you start Sluice again. As process 1 of a
container, Sluice runs under a small shell that collects the exit codes of orphaned processes.

If its log can no longer be written, because the reader is gone or the disk is full, replication goes on. Log lines then go to stderr if
possible, and Sluice later logs how many lines were lost.

A database is healthy while every commit older than \`max-lag\` (default 1m) is at every destination and nothing is stuck.
\`sluice status\`, its exit code, \`/healthz\` and \`/metrics\` all use this definition. A database that is missing for longer than
\`max-lag\` is not healthy. If its folder does not exist either, it is unhealthy at once, and Sluice creates nothing there. With \`addr\`,
\`/healthz\` answers 200 while all databases are healthy, otherwise 503 with the problems. A destination that is down eventually leads to
503, so use \`/healthz\` for alerts and readiness, not to restart Sluice. \`/metrics\` has, for each database:

| metric | meaning |
| --- | --- |
| \`sluice_db_healthy\` | 1 or 0, like \`/healthz\` |
| \`sluice_db_state\` | 1 for the current state: opening, waiting, following, imaging, failing or ended |
| \`sluice_db_commits_total\` | transactions seen in its WAL since the process started |
| \`sluice_db_wal_bytes\` | size of its WAL file |
| \`sluice_replica_lag_seconds\` | per \`destination\`: age of the oldest commit that it may lack; it also grows when replication is stuck |
| \`sluice_replica_txid\`, \`…_pending_files\`, \`…_pending_bytes\`, \`…_sent_bytes_total\` | its newest TXID, the files and bytes still to send, the bytes sent |
| \`sluice_replica_failing\`, \`…_last_success_timestamp_seconds\` | whether the last attempt failed; the time of the last success |
| \`sluice_drill_last_result\`, \`sluice_drill_last_success_timestamp_seconds\` | per \`destination\`: 1 for the \`result\` of the last [drill](#drill) (ok, failed or inconclusive), 0 for the others; the time of the last one that was ok |

With \`-restore-if-db-not-exists\`, Sluice restores each database that is missing or an empty file, as soon as every destination has
answered. It starts with an empty database only if all destinations answer that they have no backup. It waits for a destination that
does not answer, because that one may hold the newest rows; the log names it. Other databases are replicated meanwhile. The command of
\`-exec\` starts when everything is restored. \`-once\` does not wait: it exits with the error.`,
  restore: `Sluice restores from the destination with the newest state; of equal ones, it prefers a local folder, then the destination
that answers first. If a destination fails, Sluice logs a warning and tries the next. \`-replica\` chooses one. If the destinations hold
different histories and none includes the others, nothing is restored until you choose one with \`-replica\`.

With \`-if-db-not-exists\`, nobody is expected to read warnings: nothing is restored unless every destination answers, and never a
state older than the newest one that any of them lists.

With \`-force\`, stop the application first. The old database stays intact until the new one gets its name.

Every byte is verified by checksum before the database gets its name. If the restore fails or is interrupted, it leaves nothing
behind.`,
  drill: `Restores each destination alone, one after another, to a new folder in \`-tmp\`, and checks the result. Without an argument
it drills every destination of the configuration. Nothing at the destinations is changed, and a replicator may run meanwhile. The folder
is readable for its owner only, and is removed on every way out; only SIGKILL leaves it (\`sluice-drill-…\`). It takes the room of one
restored database at a time. The temporary folder of the system may be in memory: then choose another one.

| result | meaning |
| --- | --- |
| ok | the state was restored, every byte verified, and nothing contradicts it |
| failed | there is no backup, files are missing or damaged (even if others replaced them), SQLite’s check or an assertion fails, pages differ from the live database, or the files are the backup of another one: of another lineage than what was sent there, or with a higher TXID than the replicator |
| inconclusive | the destination cannot be reached, access is denied, there is no room, or SQLite cannot check the copy; or \`restore\` would take, or cannot rule out, a backup of Litestream 0.3 there |

An assertion holds if the first column of its first row is neither NULL, 0 nor empty. It runs on a read-only connection. An SQL error
is a failure of that assertion.

If the live database is exactly in the restored state, all its pages are compared. That is certain if the position that the replicator
recorded is the end of the log, or if the file is untouched since the replicator ended. If the database has moved on since, its pages as
they were at the restored TXID are read from the log, as long as that TXID is in it; pages that have changed since and are not are skipped,
and counted. Otherwise the result says \`not compared\` and why: for an old state, the live database has moved on. Run the drill as the
user of the replicator, because others cannot read its staging folder.

A drill reads the files that its restore needs, not the others: \`from 3 of 9 files\`. \`-at random\` chooses among all states that the
destination can restore, so a series of drills covers more files. The newest state must be restorable in any case.

The window of loss is the age of the newest restorable commit: at most what was committed since would be lost. It is 0 if the live
database is in that very state.

The last result of each destination is kept in \`drill.json\` in the staging folder, for [status](#status) and \`/metrics\`. The exit code is
0 if all results are ok, [12](errors.md#exit-codes) if one failed, and 13 if none failed but one is inconclusive.`,
  ltx: `\`wal\` is its old name.`,
  migrate: `It prints what each key becomes, and finds the newest state that can be restored from each destination alone, without a
download; \`-restore-check\` also restores it, one after another, to a temporary folder (\`TMPDIR\` chooses the disk). If a destination
cannot be restored from, nothing is written, and the exit code is that of its error.

The new file leads to the same destinations. Variables and comments stay as they are. A secret in clear is moved to a file in
\`<name of the output>-secrets\`, which only its owner can read; comments that may contain a credential are left out. The file of Litestream
is not changed. [Coming from Litestream](coming-from-litestream.md) describes the whole way, and the way back.`,
  check: `Without an argument it checks all configured destinations; with NAME, the destinations of that name; with a URL, that destination.
Replicas in the same folder of one destination are checked once.

${table(
  ['feature', 'passes if'],
  CHECKED.map(([feature, condition]) => [code(feature), condition]),
)}

The check works in a replica of its own, \`<path>/.sluice-check-<random>\`, and removes it. It never writes, deletes or tidies files at the
path itself, so it can run beside a replicator. It sends a little more than five times the part size of the destination (8 MiB by
default), and reads two of these parts. A check that is killed leaves its folder: remove it by hand.

If deleting is refused, the verdict names the keys that stay. \`abort\` needs \`s3:AbortMultipartUpload\`: without it, aborted uploads stay
in the bucket, where no listing shows them. Hosts without known support for conditional writes are not tested for them: \`not judged\`.

On a terminal, steps longer than two seconds show their progress. The figures are the median of five small writes and reads, and the
speed of one file of two parts and an eighth; the small ones include the time to make data durable.

The exit code is 0 if backups can be kept and restored; \`abort\`, \`if-absent\`, \`if-absent-large\`, \`objects\`, \`if-version\` and
\`delete\` are optional. Otherwise it is the code of the first destination that fails: [6](errors.md#exit-codes) if access is denied,
with the missing permission; 7 if the bucket does not exist or cannot be reached, which the verdict tells apart. The replicator itself
finds out with its first small file whether the server supports conditional writes. If not, it warns once and goes on without them.`,
  status: `Each destination is listed once. The command works with and without a running replicator. The exit code is 0 if every database
is healthy (see [replicate](#replicate)) and every destination has everything, or lacks only commits of the last 5 s; otherwise
[3](errors.md#exit-codes). A replicator that died, or has not reported for about 30 s, is a problem too. Lag counts from the commit: more
precisely, from the last time at which the destination was known to have everything.`,
};

export function renderCommands(): string {
  const working = COMMANDS.filter(({ support }) => support.kind === 'works');
  const refused = COMMANDS.filter(({ support }) => support.kind === 'refused');
  return page(
    '# Commands',
    '<!-- Made from apps/cli/src/surface. Change the table there, then run: pnpm vitest run --project unit apps/cli/test/docs.test.ts -u -->',
    `Flags have one dash or two, and a value after \`=\` or a space: \`-o x\`, \`--o=x\`. A switch needs no value; \`-json=false\` turns it
off. Flags may stand before and after the other arguments. A flag that Litestream 0.3 or 0.5 also has means the same, so scripts
run unchanged. Flags that Sluice does not support are refused by name, with the reason.`,
    'All commands use the same [exit codes](errors.md#exit-codes).',
    ...working.flatMap(renderCommand),
    '## Refused commands',
    table(
      ['command', 'Litestream', 'instead'],
      refused.map(({ name, knownBy: who, support }) => [code(name), knownBy(who), reason(support)]),
    ),
    'There is no Windows service either: run Sluice under a service manager of your choice.',
  );
}

function renderCommand(command: Command): string[] {
  const { name, usage, help, flags, examples = [] } = command;
  const works = flags.filter(({ support }) => support.kind === 'works');
  const not = flags.filter(({ support }) => support.kind === 'refused');
  return [
    `## ${name}`,
    `\`\`\`sh\nsluice ${usage}\n\`\`\``,
    `${help[0]?.toUpperCase()}${help.slice(1)}.`,
    MORE[name] ?? '',
    table(['flag', 'meaning', 'Litestream'], works.map(toRow)),
    examples.length === 0 ? '' : `\`\`\`sh\n${examples.join('\n')}\n\`\`\``,
    not.length === 0
      ? ''
      : table(
          ['refused', 'Litestream', 'instead'],
          not.map((flag) => [code(nameOf(flag)), knownBy(flag.knownBy), reason(flag.support)]),
        ),
    `**JSON.** ${JSON_SHAPES[name] ?? ''}`,
  ];
}

function toRow(flag: Flag): string[] {
  return [code(nameOf(flag)), flag.help, knownBy(flag.knownBy)];
}
