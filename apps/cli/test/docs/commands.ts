/** docs/commands.md, from the table of commands. */

import type { CheckFeature } from '@sluice/core';
import { nameOf } from '../../src/help.ts';
import { COMMANDS, type Command, type Flag } from '../../src/surface/commands.ts';
import { code, knownBy, page, reason, table } from './markdown.ts';

/** What `-json` prints. Names are Litestream's where it has the thing. */
const JSON_SHAPES: Readonly<Record<string, string>> = {
  replicate: `At the end, on stdout (the log goes to stderr then):

\`\`\`json
{"databases":[{"path":"/data/app.db","txid":"000000000000002a","healthy":false,
  "problems":[{"stage":"send","destination":"file","message":"file has failed for 31 s: …"}],"destinations":[
  {"name":"s3","target":"s3://bucket/app.db","txid":"000000000000002a","complete":"complete"},
  {"name":"file","target":"file:///mnt/backup","txid":"0000000000000029","complete":"behind",
   "cause":{"code":"REPLICA_UNAVAILABLE","message":"…"}}]}]}
\`\`\``,
  restore: `One line. The first five keys are Litestream's; where nothing was done, it is
\`{"db_path":…,"skipped":"exists"}\` or \`{"skipped":"no backup","looked_at":["s3://bucket/app.db"]}\`.

\`\`\`json
{"db_path":"/data/app.db","replica":"s3","txid":"000000000000002a","duration_ms":812,"integrity_check":"none",
 "target":"s3://bucket/app.db","timestamp":"2026-01-31T12:00:00.000Z","files_read":3,"bytes_read":81234}
\`\`\`

With \`-dry-run\`, all of them Litestream's:

\`\`\`json
{"source":"s3://bucket/app.db","target_path":"/data/app.db","replica":"s3","min_txid":"0000000000000001",
 "max_txid":"000000000000002a","files":[{"level":9,"name":"0000000000000001-0000000000000029.ltx",
 "min_txid":"0000000000000001","max_txid":"0000000000000029","size":80000,"timestamp":"2026-01-31T12:00:00.000Z"}]}
\`\`\``,
  config: `\`file\`, \`notes\` and \`databases\` where it is right; \`problems\` where it is not, and exit code 2:

\`\`\`json
{"ok":false,"problems":[{"line":4,"key":"dbs[0].replica.bukcet","message":"dbs[0].replica: bukcet is not a key of s3: did you mean bucket?"}]}
\`\`\``,
  databases: `\`path\` and \`replica\` (the kind of the first destination) are Litestream's:

\`\`\`json
[{"path":"/data/app.db","replica":"s3","destinations":[{"name":"s3","type":"s3","target":"s3://bucket/app.db"}]}]
\`\`\``,
  ltx: `The first five keys are Litestream's; \`replica\` names the destination:

\`\`\`json
[{"level":0,"min_txid":"000000000000002a","max_txid":"000000000000002a","size":1234,
  "timestamp":"2026-01-31T12:00:00.000Z","name":"000000000000002a-000000000000002a.ltx","replica":"s3"}]
\`\`\``,
  status: `The first four keys are Litestream's. \`status\` is \`ok\`, \`not initialized\`, \`no database\` or \`error\`;
\`state\` of a destination is \`ok\`, \`behind\`, \`failing\` (\`problems\` says with what), \`empty\`, \`damaged\` (files are missing, so that the newest state
cannot be restored from there), or the [code](errors.md) of what kept us from asking it or of
what it answers to snapshots, where it refuses them.
\`healthy\` is what the exit code says; \`problems\` are in the order of a commit's way. \`commits_seen\` counts since the replicator began.
\`fencing\` is what the replicator has found out of conditional writes there: \`honoured\`, \`small files only\`, \`off\` (ignored or
not known: a second replicator would not be refused), \`not claimed\`, or \`unproved\` before its first small file.

\`\`\`json
[{"database":"/data/app.db","status":"ok","local_txid":"000000000000002a","wal_size":123632,
  "replicator":"replicator 4711 runs","commits_seen":1042,"healthy":true,"problems":[],"destinations":[{"name":"s3","type":"s3","target":"s3://bucket/app.db",
  "state":"ok","txid":"000000000000002a","lag_seconds":0,"size":912345,"fencing":"honoured",
  "last_success_at":"2026-01-31T12:00:00.000Z"}]}]
\`\`\``,
  check: `One for each destination. \`verdict\` is \`works\`, \`does not\` or \`not judged\`; \`code\` is that of
the [error](errors.md), where one came back; \`missing\` the right that was denied: \`list\`, \`read\`, \`write\`, \`replace\`, \`delete\` or
\`abort\`. \`next\` says what to do, and what the provider calls that right. \`left\` has the keys of what is still there.

\`\`\`json
[{"name":"s3","type":"s3","target":"s3://bucket/app.db","others":0,"path":"app.db/.sluice-check-5f1c0a9e7b32","ok":true,
  "features":[{"feature":"reach","verdict":"works","seen":"s3://bucket answers"},
  {"feature":"if-absent","verdict":"does not","seen":"conditional writes are ignored by this server: fencing is off",
   "next":"replication works without it; see that never two replicators write to one place"}],
  "write_ms":12.4,"read_ms":9.1,"up_bytes_per_second":31457280,"down_bytes_per_second":62914560,"left":[]}]
\`\`\``,
  version: `\`{"version":"1.0.0"}\`, and with \`-verbose\` also \`node\`, \`sqlite\` and \`platform\`.`,
};

/** As core judges them. */
const CHECKED: readonly (readonly [CheckFeature, string])[] = [
  ['reach', 'the bucket or the folder is there, and can be reached with these credentials'],
  ['write', 'small files can be written'],
  ['list', 'what was written is listed at once, by level and from a TXID on'],
  ['read', 'the bytes that were written come back'],
  ['ranges', 'parts of a file come as they were asked for'],
  ['large', 'a file of several parts goes up and comes back'],
  [
    'abort',
    'a large write that is given up half-way leaves neither a file nor parts that cost money',
  ],
  ['if-absent', 'a second write of the same name is refused, so that two replicators cannot mix'],
  ['if-absent-large', 'the same for a file that goes up in parts'],
  [
    'objects',
    'a small named object is written, read and listed (`lock.json`, where a lease would lie)',
  ],
  [
    'if-version',
    'one that names the version it replaces is refused where another is there: so a lease is held',
  ],
  ['delete', 'what was written can be deleted, and is not listed any more'],
];

const MORE: Readonly<Record<string, string>> = {
  replicate: `Each destination has its own position, and is tried again for as long as it fails; none waits for another.

SIGINT, SIGTERM, SIGHUP and SIGQUIT end it with a last sync: each destination ends when it has everything, or
\`shutdown-sync-timeout\` after its own first failure if nothing has succeeded since. The exit code is 0
only if all have everything, else [3](errors.md#exit-codes), and the log names each that has not, its TXID and why. A second signal ends it at once. \`-once\` ends by the same rule.
The same signal within a second is not a second one: supervisors send one to the process and to its group.

\`-exec\` splits its command into words as a shell does, but for variables and operators: for those write \`sh -c '…'\`.
Every signal is passed on to it once; when it ends, so does Sluice, after the last sync, with its exit code. Where Sluice fails or
is ended by a second signal, it ends the command too. SIGKILL it cannot see: a container ends the command then, and so does systemd
(by its default \`KillMode=control-group\`); elsewhere stop the command before you start Sluice again. As process 1 of a container it
runs under a small shell, which collects the processes that the command leaves behind.

When nobody reads its log any more, or the disk of its log is full, replication goes on: lines go to stderr as long as that can be
written to, and how many were lost is said later.

A database is healthy while every commit older than \`max-lag\` (default 1m) is at every destination and nothing stands still.
\`sluice status\`, its exit code, \`/healthz\` and \`/metrics\` are four views of that one judgement. One that is missing for as long is not
healthy; nor is one whose folder does not exist, at once, and nothing is created there. With \`addr\`, \`/healthz\` answers 200 while all
databases are healthy, else 503, with what is wrong. A destination that is down makes it 503 in time, so use it for alerts and readiness,
not to restart Sluice. \`/metrics\` has, for each database:

| metric | meaning |
| --- | --- |
| \`sluice_db_healthy\` | 1 or 0, as \`/healthz\` |
| \`sluice_db_state\` | 1 for its \`state\`: opening, waiting, following, imaging, failing or ended |
| \`sluice_db_commits_total\` | transactions seen in its log since the process began |
| \`sluice_db_wal_bytes\` | size of its WAL file |
| \`sluice_replica_lag_seconds\` | for each \`destination\`: since the oldest commit that it lacks, or may lack; it grows whatever stands still |
| \`sluice_replica_txid\`, \`…_pending_files\`, \`…_pending_bytes\`, \`…_sent_bytes_total\` | what it has, what it lacks, what was sent |
| \`sluice_replica_failing\`, \`…_last_success_timestamp_seconds\` | whether the last try failed; when the last success was |

With \`-restore-if-db-not-exists\`, a database that is missing, or an empty file, is restored when every destination has answered, and
starts fresh only if all of them say that they have no backup. One that does not answer is waited for, because it may hold the newest
rows; the log says which. Other databases are replicated meanwhile; the command of \`-exec\` starts when all is restored. \`-once\`
does not wait: it ends with the error.`,
  restore: `Of several destinations the one with the newest state is taken; of equals, a local folder before others, then the one that
answers first. A destination that fails is said and left out; the next is tried. \`-replica\` chooses one. Where destinations
hold histories of which none includes the others, nothing is restored until \`-replica\` says which is meant.

With \`-if-db-not-exists\` nobody is expected to read warnings: nothing is restored unless every destination answers, and
nothing older than the newest state that any of them lists.

With \`-force\`, stop the application first. The old database stays whole until the new one has its name.

Every byte has been verified by checksum before the database gets its name. Where the restore fails or is interrupted, nothing
is left behind.`,
  ltx: `\`wal\` is an old name of it.`,
  check: `Without an argument, all destinations of the configuration; by NAME, those that are called so; or one by URL. Replicas that lie
beside each other at one destination are checked once.

${table(
  ['feature', 'what is put to the test'],
  CHECKED.map(([feature, what]) => [code(feature), what]),
)}

It works in a replica of its own, \`<path>/.sluice-check-<random>\`, and removes it; what lies at the path itself is neither written to
nor deleted nor tidied, so it may run beside a replicator. It sends a little over five times the part size of an S3 destination
(8 MiB where none is set), and reads two of them. A check that is killed leaves that folder: remove it by hand.

Where deleting is refused, the verdict names the keys that stay. \`abort\` needs \`s3:AbortMultipartUpload\`: without it uploads that
broke off stay in the bucket, where no listing shows them. A host that is not known to honour conditional writes is not asked
for them: \`not judged\`.

On a terminal, what takes longer than two seconds is shown as it goes. The figures are the median of five small writes and
reads, and the speed of one file of two parts and an eighth; the small ones include what the server needs to make it durable.

The exit code is 0 where backups can be kept and restored; \`abort\`, \`if-absent\`, \`if-absent-large\`, \`objects\`, \`if-version\` and
\`delete\` are not needed for that.
Else it is that of the first that cannot: [6](errors.md#exit-codes) where access is denied, with the right that is missing, 7 where the
bucket is not there or cannot be reached, which the verdict tells apart. The replicator itself finds out by its first small file whether
the server honours conditions; where it does not, it warns once and goes on without.`,
  status: `Each destination is asked once, by a listing; it works whether a replicator runs or not. The exit code is 0 where every database
is healthy (see [replicate](#replicate)) and every destination has everything or lacks only what is younger than 5 s, else
[3](errors.md#exit-codes). A replicator that is gone without having ended, or that has not been heard of for some 30 s, is a problem
too. Lag is counted from the commit: from the last moment of which it is known that everything was there.`,
};

export function renderCommands(): string {
  const working = COMMANDS.filter(({ support }) => support.kind === 'works');
  const refused = COMMANDS.filter(({ support }) => support.kind === 'refused');
  return page(
    '# Commands',
    '<!-- Made from apps/cli/src/surface. Change the table there, then run: pnpm vitest run --project unit apps/cli/test/docs.test.ts -u -->',
    `Flags have one dash or two, and a value behind \`=\` or a space: \`-o x\`, \`--o=x\`. A switch needs no value; \`-json=false\` turns it
off. They may stand before and after the other arguments. Where Litestream 0.3 or 0.5 has the same word, it means the same, so
that scripts run unchanged; what we do not do is refused by name, with the reason.`,
    'How they end is one table for all: [exit codes](errors.md#exit-codes).',
    ...working.flatMap(renderCommand),
    '## What is refused',
    table(
      ['command', 'Litestream', 'instead'],
      refused.map(({ name, knownBy: who, support }) => [code(name), knownBy(who), reason(support)]),
    ),
    'Of Litestream, the Windows service is missing too: run Sluice by a service manager of your choice.',
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
