/** Text of docs/commands.md about the commands for a running replicator. */

const STOPPED = `\`behind\` names the destinations that do not have everything: their files stay staged, and the exit code is
[3](errors.md#exit-codes)`;

export const CONTROL_SHAPES: Readonly<Record<string, string>> = {
  info: `One object per process; a replicator usually has all databases of its configuration. \`control\` is the folder of the control socket of
the process:

\`\`\`json
[{"version":"0.1.0","pid":4711,"started_at":"2026-01-31T12:00:00.000Z","uptime_seconds":86400,
  "control":"/run/sluice/3a3ea00cfc35332c","database_count":1,
  "databases":[{"path":"/data/app.db","state":"following","txid":"000000000000002a","healthy":true}]}]
\`\`\``,
  list: `\`status\` is \`replicating\`, \`starting\`, \`stopping\`, \`stopped\` or \`failed\`; \`origin\` says why the replicator has it:
\`configuration\`, \`directory\` or \`registered\`. \`state\`, \`txid\` and \`healthy\` are those of [status](#status), and absent while it is
not replicated:

\`\`\`json
{"databases":[{"path":"/data/app.db","status":"replicating","origin":"configuration","state":"following","txid":"000000000000002a",
  "healthy":true,"last_sync_at":"2026-01-31T12:00:00.000Z","destinations":["s3","file"]}]}
\`\`\``,
  start: `\`status\` is \`started\` or \`already_running\`:

\`\`\`json
{"path":"/data/app.db","status":"started"}
\`\`\``,
  stop: `\`status\` is \`stopped\`, \`already_stopped\` or \`would_stop\`. ${STOPPED}:

\`\`\`json
{"path":"/data/app.db","status":"stopped","txid":"000000000000002a","complete":["s3"],"behind":["file"]}
\`\`\``,
  unregister: `\`status\` is \`unregistered\`, \`already_unregistered\` or \`would_unregister\`. ${STOPPED}:

\`\`\`json
{"path":"/data/new.db","status":"unregistered","txid":"000000000000002a","complete":["s3"],"behind":[]}
\`\`\``,
  register: `\`status\` is \`registered\`, \`already_registered\` or \`would_register\`:

\`\`\`json
{"path":"/data/new.db","status":"registered","destinations":[{"name":"s3","target":"s3://bucket/new.db"}]}
\`\`\``,
  snapshot: `One object per database. \`snapshot\` is \`ordered\`, \`under way\`, or \`not following\` while the database is missing or cannot
be followed:

\`\`\`json
[{"path":"/data/app.db","snapshot":"ordered"}]
\`\`\``,
  reset: `\`files\` and \`bytes\` are what was removed. \`running\` says whether a replicator did it, which makes the snapshot at once:

\`\`\`json
{"path":"/data/app.db","status":"reset","files":3,"bytes":884,"running":true}
\`\`\``,
  reload: `\`rescheduled\` databases have other drills or another scrub; their replication goes on. \`needs_restart\` names settings that have changed and
apply only after a restart of the process. \`failed\` are databases that could not be started; they are tried again:

\`\`\`json
{"config":"/etc/sluice.yml","status":"reloaded","added":["/data/new.db"],"removed":[],"changed":[],"rescheduled":[],"unchanged":1,
  "needs_restart":["addr"],"failed":[]}
\`\`\``,
};

export const CONTROL_MORE: Readonly<Record<string, string>> = {
  list: `This and the commands below talk to the replicator that was started with the same configuration; without a configuration, name
one of its databases. They must run as the same user, or as root. The socket is in a private folder below \`$XDG_RUNTIME_DIR/sluice\`, \`/run/sluice\`,
\`/run/user/<uid>/sluice\` or \`/tmp/sluice-<uid>\`: the first one that the replicator may use ([decision 44](decisions/0044-commands-reach-the-process.md)).
Under systemd with \`PrivateTmp\`, give the service \`RuntimeDirectory=sluice\`. Without a replicator they exit with [15](errors.md#exit-codes).`,
  reload: `SIGHUP does the same, but it also reaches the command of \`-exec\`. The file is read and checked as a whole: an invalid one changes nothing, and the exit code is
[2](errors.md#exit-codes). Only databases whose settings have changed begin again. A removed database gets a last sync; files that could not be sent stay
staged, and are sent if it comes back. \`addr\`, \`exec\` and \`logging\` apply only at a start; the answer and the log say so if they have changed.
Databases that were registered by a command stay, stopped ones stay stopped, and unregistered ones come back if the file has them.`,
  stop: `The files that are staged stay, and so do the replicas. Another process may replicate the database, or \`sluice rekey\` change its files, until
\`sluice start\`. Its commits are not lost meanwhile: they are sent after the start. \`sluice status\` says that it is stopped; \`/healthz\` and
\`/metrics\` do not have it. A restart of the replicator starts it.`,
  register: `Without \`-replica\`, the database must be in the configuration file as it is now; the other databases are not read again. With \`-replica\` it has
the default settings, no drills, and is forgotten when the replicator ends. It is refused if it would share a destination, a staging folder or a path
with another database of the replicator, even with a stopped one.`,
  reseed: `It counts for one try. If the replicator dies before the first file has arrived, allow it again: otherwise a disk that is not mounted at the next
start would be seeded.`,
  unregister: `A database of the configuration comes back with the next \`sluice reload\`, or a restart of the replicator.
Once more it succeeds, until then; a path that the replicator does not have is refused, with exit code 2.`,
  sync: `With \`-wait\` or \`-durable\`, each destination is listed first, so the answer tells what is there now. One that fails is tried again at once: run it when you have mended one.`,
  reset: `For a staging folder that is damaged or takes too much room. The running replicator makes a last sync first, and a full snapshot afterwards; the TXIDs
go on. Without one, the next start makes the snapshot. If a destination does not have everything that is staged, or if that is not known because there is neither a replicator nor a configuration, nothing is removed, and the exit code is
[3](errors.md#exit-codes); with \`-force\`, its states between the last upload and the new snapshot cannot be restored. Replicas are not touched.`,
  snapshot: `It is made in the background, and sent to all destinations as soon as possible: \`sluice status\` and the log show it. One that is being made already is not
repeated.`,
};
