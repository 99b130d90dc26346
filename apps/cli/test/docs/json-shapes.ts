/** The output of `-json` of each command, for docs/commands.md. */

import { CONTROL_SHAPES } from './control.ts';
import { REPAIR_SHAPE } from './repair.ts';

/** The output of `-json`. Keys that Litestream has keep its names. */
export const JSON_SHAPES: Readonly<Record<string, string>> = {
  reseed: `One object per database that has the destination. \`reseed\` is \`accepted\` or \`not needed\`; \`running\` says whether a replicator was asked:

\`\`\`json
[{"path":"/data/app.db","destination":"mirror","reseed":"accepted","running":true}]
\`\`\``,
  ...CONTROL_SHAPES,
  sync: `One object per database. With \`-wait\` or \`-durable\`, \`destinations\` names those from which everything committed before the
command can be restored; \`status\` is \`synced_local\` without them: the commits are staged, and are sent as soon as possible. Commands
at the same time share their uploads. A failure is printed on stderr, and ends with exit code 3 if too few destinations have it in time,
and 15 if no replicator runs:

\`\`\`json
[{"path":"/data/app.db","status":"synced","txid":"000000000000002a","destinations":["s3","file"]}]
\`\`\``,
  generations: `One object per generation; \`snapshots\` and \`segments\` are numbers of files, \`size\` is in bytes:

\`\`\`json
[{"replica":"s3","generation":"b16ddcf5c697540f","snapshots":1,"segments":12,"size":81234,
  "start":"2026-01-30T12:00:00.000Z","end":"2026-01-31T12:00:00.000Z"}]
\`\`\``,
  cost: `One object per destination. \`settings\` are those that the forecast assumes; \`observed_ms\` is the time that the files
there cover, if the rates come from them. \`money_per_month\` has each part of the bill, and the \`total\`; all figures are rounded:

\`\`\`json
[{"replica":"s3","target":"s3://bucket/app.db",
  "workload":{"commits_per_hour":638,"bytes_per_commit":1211,"snapshot_bytes":8262,"hot_bytes":8262,"restores_per_month":0,
  "observed_ms":902830},
  "settings":{"sync_interval_ms":1000,"levels_ms":[30000,300000,3600000],"snapshot_interval_ms":86400000,"retention_ms":259200000,
  "l0_retention_ms":300000},
  "requests_per_month":{"put":650426,"get":0,"list":13870,"delete":43800},"deleted_files_per_month":650426,
  "sent_bytes_per_month":1778360770,"read_bytes_per_month":0,"stored_bytes":114587424,"stored_files":18190,
  "levels":[{"level":0,"files_per_hour":638,"bytes_per_file":1211,"stored_files":643}],
  "prices":{"provider":"aws-s3","name":"…","date":"…","source":"…"},
  "money_per_month":{"currency":"USD","storage":0.01,"put":3.25,"get":0,"list":0.07,"delete":0,"egress":0,"total":3.33}}]
\`\`\``,
  replicate: `At the end, on stdout (with \`-json\` the log goes to stderr):

\`\`\`json
{"databases":[{"path":"/data/app.db","txid":"000000000000002a","healthy":false,
  "problems":[{"stage":"send","destination":"file","message":"file has failed for 31 s: …"}],"destinations":[
  {"name":"s3","target":"s3://bucket/app.db","txid":"000000000000002a","complete":"complete"},
  {"name":"file","target":"file:///mnt/backup","txid":"0000000000000029","complete":"behind",
   "cause":{"code":"REPLICA_UNAVAILABLE","message":"…"}}]}]}
\`\`\``,
  restore: `One line. The first five keys are Litestream's. \`sources\` says how much was read from each destination. \`left_out\` lists destinations that
could not be read, or do not have the state alone. \`avoided\` lists damaged files that others replaced: \`file\`, \`source\`,
\`code\` and \`message\`. \`maybe_newer_at\` lists destinations that were left out and may hold a newer state: \`replica\`, \`target\`,
\`code\`, \`message\`, and the highest \`txid\` listed there, if it is known. With \`-force\`,
\`kept\` is the new name of the file that was replaced, and \`still_open_in\` lists the processes that
had it open (\`pid\`, \`name\`). With \`-resume\`, \`resumed_bytes\` had been downloaded before. With \`-f\`, one line per event:
[Warm copy](warm-copy.md). \`kept_wal\` is its WAL, if a process had it open. \`owner\` (\`uid\`, \`gid\`, \`like\`) is set if the file does not belong to the user that ran the command: it
gets the owner and the mode of the file that it replaces, or the owner of its folder if root restores. If there was nothing to do, it is
\`{"db_path":…,"skipped":"exists"}\` or \`{"skipped":"no backup","looked_at":["s3://bucket/app.db"]}\`.

\`\`\`json
{"db_path":"/data/app.db","replica":"s3","txid":"000000000000002a","duration_ms":812,"integrity_check":"none",
 "target":"s3://bucket/app.db","timestamp":"2026-01-31T12:00:00.000Z","files_read":3,"bytes_read":81234,
 "sources":[{"replica":"s3","target":"s3://bucket/app.db","files":3,"bytes":81234}],"avoided":[]}
\`\`\`

A time is RFC 3339 (\`2026-01-31T12:00:00Z\`), local (\`2026-01-31 14:00\`, \`today 09:30\`, \`yesterday 14:00\`), the start of a local
day (\`2026-01-31\`) or relative (\`30s ago\`, \`2h\`, \`3 days ago\`). It is printed in UTC. The state as of a time is the last one written at or
before it. All commits in one LTX file have the time of the last one, so the resolution is the time between two states:
\`sync-interval\` where every file is still there, and more where files were
merged. With \`-timestamp\`, the result names the next state too; without one, nothing newer is stored there. \`doubt\`, if present, says
why another state may have been meant:

\`\`\`json
{…,"timestamp":"2026-01-31T12:00:00.000Z","requested":"2026-01-31T12:00:00.600Z","resolution_ms":1000,
 "next_txid":"000000000000002b","next_timestamp":"2026-01-31T12:00:01.000Z"}
\`\`\`

On stderr, each line that begins with \`{\` is an event: after two seconds the progress, once a second. \`done_bytes\` starts again at zero if
other files have to be read. Without \`seconds_left\`, nothing has arrived for ten seconds:

\`\`\`json
{"event":"progress","done_bytes":104857600,"total_bytes":1073741824,"bytes_per_second":52428800,"seconds_left":19}
\`\`\`

With \`-dry-run\` (Litestream's keys, and the same ones for \`-timestamp\`):

\`\`\`json
{"source":"s3://bucket/app.db","target_path":"/data/app.db","replica":"s3","min_txid":"0000000000000001",
 "max_txid":"000000000000002a","files":[{"level":9,"name":"0000000000000001-0000000000000029.ltx",
 "min_txid":"0000000000000001","max_txid":"0000000000000029","size":80000,"timestamp":"2026-01-31T12:00:00.000Z"}]}
\`\`\``,
  promote: `One line. \`journal_mode\` is \`wal\` or \`rollback\`, as in the source. [Warm copy](warm-copy.md) explains the rest.

\`\`\`json
{"db_path":"/data/copy.db","txid":"000000000000002a","timestamp":"2026-01-31T12:00:00.000Z","journal_mode":"wal"}
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
  "spans_total":1,"spans":[{"level":0,"from":{"txid":"0000000000000005","timestamp":"2026-01-30T13:00:00.000Z"},
  "to":{"txid":"000000000000002a","timestamp":"2026-01-31T12:00:00.000Z"},"files":37,"resolution_ms":1000}],
  "gaps_total":1,"gaps":[{"from_txid":"0000000000000003","to_txid":"0000000000000004",
  "before":{"txid":"0000000000000002","timestamp":"2026-01-30T12:00:01.000Z"},
  "after":{"txid":"0000000000000005","timestamp":"2026-01-30T13:00:00.000Z"}}],
  "snapshots_total":1,"snapshots":[{"txid":"0000000000000005","timestamp":"2026-01-30T13:00:00.000Z","size":80000}],
  "levels":[{"level":0,"files":41,"size":167936},{"level":9,"files":1,"size":80000}]},
 {"replica":"file","target":"file:///mnt/backup","error":{"code":"REPLICA_UNAVAILABLE","message":"…"}}]
\`\`\``,
  repair: REPAIR_SHAPE,
  drill: `One object per destination. \`result\` is \`ok\`, \`failed\` or \`inconclusive\`; then \`problems\` says why, with the
[error code](errors.md) and, for a damaged file, \`object\`. \`restore_ms\` is the time to connect, list and restore (RTO).
\`loss_window_ms\` is the upper bound of what would be lost, as an age (RPO). \`comparison\` is \`equal\` (the number of \`pages\`, and of those \`skipped\`), \`different\` (the number of
\`pages\`, and the \`first\`) or \`not compared\`, with the reason. What the drill did not get to is left out.
For a backup of Litestream 0.3, \`generation\` and \`position\` (index and offset) take the place of \`txid\`:

\`\`\`json
[{"database":"/data/app.db","name":"s3","type":"s3","target":"s3://bucket/app.db","result":"ok",
  "kind":"full","at":"2026-01-31T12:00:00.000Z","txid":"000000000000002a","timestamp":"2026-01-31T11:59:58.100Z",
  "newest_txid":"000000000000002a","restore_ms":812,"loss_window_ms":0,"files_listed":9,"files_read":3,"bytes_read":81234,
  "size":122880,"assertions":[{"sql":"SELECT count(*) FROM orders","holds":true}],"comparison":{"kind":"equal","pages":30,"skipped":0},
  "problems":[]}]
\`\`\``,
  rekey: `One object per destination. \`size\` is that of the encrypted files. [Encryption](encryption.md) explains keys.

\`\`\`json
[{"replica":"s3","target":"s3://bucket/app.db","files":41,"size":168936}]
\`\`\``,
  decrypt: `\`written\` files, and those that were there before (\`kept\`); \`size\` of all of them, decrypted.

\`\`\`json
{"from":"s3://bucket/app.db","to":"file:///mnt/plain/app.db","written":41,"kept":0,"size":167936}
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
  status: `With \`-watch\`, one line for each look. The first four keys are Litestream's. \`status\` is \`ok\`, \`not initialized\`, \`no database\` or \`error\`;
\`error_since\` is when that error began, if the replicator fails. A directory of which nothing is replicated has a row of its own, with \`no database\`; \`healthy\`
is true if it has no database yet.
The \`state\` of a destination is \`ok\`, \`behind\`, \`failing\` (see \`problems\`), \`empty\`, \`damaged\` (files are missing, so the
newest state cannot be restored from it), or an [error code](errors.md): the listing failed, the destination refuses
snapshots, or it, or its lease, belongs to another replicator (\`REPLICA_IN_USE\`; \`last_error\` names that one, see [One writer](one-writer.md)).
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
\`problems\`, \`last_success_at\`, \`overdue\`, and \`every_seconds\` if it has a schedule. For a backup of Litestream 0.3, \`generation\` and
\`position\` take the place of \`txid\`. With a [scrub](configuration.md#scrub), it has \`scrub\`: \`started_at\`, \`running\`, \`objects\`, \`bytes\`,
\`last_success_at\`, \`mended\`, and the \`damaged\` objects, with \`superseded\` for those before a later full snapshot.
After a [repair](#repair), the database has \`repair\`: \`at\`, \`age_seconds\`, \`result\`, and for each destination \`lacking\`, \`damaged\`, \`copied_files\`
and \`copied_bytes\`.`,
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
  completion: 'None.',
  mcp: 'Each tool answers with the JSON of its command, and then with what that printed on stderr.',
  diagnose: `Always: \`versions\` (see [version](#version)), \`machine\`, \`variables\` (names of environment variables), \`configuration\`
(\`file\`, \`content\`, \`error\`), \`databases\` (\`files\`, \`disk\`, \`staging\`, and their [status](#status)), and \`log\`. What cannot be read has
an \`error\` instead.`,
  init: `The absolute paths of the configuration and of all files:

\`\`\`json
{"file":"/srv/sluice.yml","files":["/srv/sluice.yml","/srv/sluice.service"]}
\`\`\``,
  migrate: `\`becomes\` is null for a key that is left out. \`written\` is false with \`-dry-run\`, which adds the file as \`text\`, and
after a failed check; then \`ok\`, \`code\` and \`message\` of a destination say why. \`restored_ms\` comes with \`-restore-check\`.

\`\`\`json
{"source":"/etc/litestream.yml","file":"/etc/sluice.yml","written":true,
 "keys":[{"key":"dbs[0].replicas[0].auto-recover","becomes":null,"note":"always on"}],
 "destinations":[{"database":"/data/app.db","name":"s3","type":"s3","target":"s3://bucket/app.db","ok":true,
  "txid":"000000000000002a","timestamp":"2026-01-31T12:00:00.000Z","files":3,"size":81234,"restored_ms":812}],
 "secret_files":["/etc/sluice-secrets/secret-access-key"]}
\`\`\``,
  version: `With \`-verbose\` also \`node\`, \`sqlite\`, \`platform\`, \`system\`, \`program\`, \`installed\`, and the version of each package by its name:

\`\`\`json
{"version":"1.0.0"}
\`\`\``,
};
