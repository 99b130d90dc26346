/** Builds docs/commands.md from the table of commands. */

import { CONTROL_MORE } from './control.ts';
import { JSON_SHAPES } from './json-shapes.ts';
import { REPAIR_MORE } from './repair.ts';
import type { CheckFeature } from '@sluice/core';
import { nameOf } from '../../src/help.ts';
import type { Command, Flag } from '../../src/surface/command.ts';
import { COMMANDS } from '../../src/surface/commands.ts';
import { code, knownBy, page, reason, table } from './markdown.ts';

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

SIGINT, SIGTERM and SIGQUIT end the process after a last sync. SIGHUP has it [read its configuration again](#reload); with \`-once\`, or if it was
started in a terminal, which has closed then, SIGHUP ends it like the others. Each destination stops when it has everything, or
\`shutdown-sync-timeout\` after its first failure if nothing succeeded since. The exit code is 0 only if all destinations have
everything, otherwise [3](errors.md#exit-codes), or another one if a database could not be followed at all; the log then names each destination that is behind, its TXID and the cause. A
second signal exits at once. \`-once\` ends by the same rules. A copy of a signal within one second does not count as a second one,
because supervisors may signal both the process and its group.

\`-exec\` splits its command into words like a shell, but without variables and operators: for those write \`sh -c '…'\`.
Every signal is passed on to the command once, SIGHUP too: it ends a command that does not handle it. When the command exits, Sluice does a last sync and exits with the same code. If Sluice
fails or receives a second signal, it also stops the command. It cannot react to SIGKILL: then a container stops the command, and so does
systemd (by its default \`KillMode=control-group\`); elsewhere, stop the command before you start Sluice again. As process 1 of a
container, Sluice runs under a small shell that collects the exit codes of orphaned processes.

If its log can no longer be written, because the reader is gone or the disk is full, replication goes on. Log lines then go to stderr if
possible, and Sluice later logs how many lines were lost.

A database is healthy while every commit older than \`max-lag\` (default 1m) is at every destination, nothing is stuck, and no failed
[drill](#drill) counts: it counts until a drill of that destination is ok, a full one if the failed one was full. \`sluice status\`,
its exit code, \`/status\` and \`/metrics\` all use this definition. A database that is missing for longer than
\`max-lag\` is not healthy. If its folder does not exist either, it is unhealthy at once, and Sluice creates nothing there. With \`addr\`,
\`/status\` answers 200 while all databases are healthy, otherwise 503 with the problems; \`/healthz\` tells only whether the process runs.
[Health, metrics and alerts](metrics.md) has all paths and all metrics.

With \`-restore-if-db-not-exists\`, Sluice restores each database that is missing or an empty file, as soon as every destination has
answered. It starts with an empty database only if all destinations answer that they have no backup. It waits for a destination that
does not answer, because that one may hold the newest rows; the log names it. Other databases are replicated meanwhile. The command of
\`-exec\` starts when everything is restored. \`-once\` does not wait: it exits with the error.`,
  restore: `Sluice lists all destinations at once and restores the newest state. It reads each file from the nearest destination that has it, measured
by its listing. If a file is missing or damaged there, it comes from another destination, even in the middle of the restore. The report says
what was read from where, and what was wrong; \`sluice drill\` and \`sluice check\` say more. A destination that does not answer within
30 seconds after another one did, or whose files need an identity, is left out; the result names each one that may hold a newer state, with
the highest TXID that it lists. \`-replica\` chooses one destination.

Destinations are combined only if they hold the same history: Sluice marks the files of each run with a lineage. Files of Litestream have none; a
destination that is behind is then used up to the last file that both have in common. If the destinations hold different histories and none
includes the others, nothing is restored until you choose one with \`-replica\`. If two of them hold different files under one name, because
two replicators wrote them, the one that is behind is left out with a warning.

With \`-if-db-not-exists\`, nobody is expected to read warnings: nothing is restored unless every destination answers, and never a
state older than the newest one that any of them lists, nor while two of them hold different files under one name.

With \`-force\`, stop the application first. The old database stays intact until the new one gets its name.

Every byte is verified by checksum before the database gets its name. If the restore fails or is interrupted, it leaves nothing
behind. A connection that is cut or stalls is opened again where it stopped. If a file is damaged, other files that lead to the same
state are read instead, and a warning names it; if a file was removed meanwhile, the destination is listed again.

A restore that takes longer than two seconds shows its progress on stderr: a bar on a terminal, elsewhere a line every five seconds, and
with \`-json\` an object a line.`,
  drill: `Restores each destination alone, one after another, to a new folder in \`-tmp\`, and checks the result. Without an argument
it drills every destination of the configuration. Nothing at the destinations is changed, and a replicator may run meanwhile. The folder
is readable for its owner only, and is removed on every way out; only SIGKILL leaves it (\`sluice-drill-…\`). It takes the room of one
restored database at a time. The temporary folder of the system may be in memory: then choose another one.

| result | meaning |
| --- | --- |
| ok | the state was restored, every byte verified, and nothing contradicts it |
| failed | there is no backup, files are missing or damaged (even if others replaced them), SQLite’s check or an assertion fails, pages differ from the live database, or the files are the backup of another one: of another lineage than what was sent there, or with a higher TXID than the replicator |
| inconclusive | the destination cannot be reached, access is denied, there is no room, or SQLite cannot check the copy; or \`restore\` cannot decide between the LTX files and a backup of Litestream 0.3 there |

An assertion holds if the first column of its first row is neither NULL, 0 nor empty. It runs on a read-only connection. An SQL error
is a failure of that assertion. But an assertion of the command that SQLite does not accept, neither for the restored nor for the live database, is a
mistake of the command: it ends with exit code 2, and nothing is recorded. So does one with a syntax error, before anything is restored.

The result is kept for \`status\` and \`/status\`, without assertions that the configuration (\`drill.assert\`) does not have: what you ask once must not make a
destination unhealthy until somebody asks it again. A drill by hand clears an earlier failure if it restores the newest state, with the
assertions that failed and with no weaker check than the configured one.

If the live database is exactly in the restored state, all its pages are compared. That is certain if the position that the replicator
recorded is the end of the log, or if the file is untouched since the replicator ended. If the database has moved on since, its pages as
they were at the restored TXID are read from the log, as long as that TXID is in it; pages that have changed since and are not are skipped,
and counted. Otherwise the result says \`not compared\` and why: for an old state, the live database has moved on. Run the drill as the
user of the replicator, because others cannot read its staging folder.

A drill reads the files that its restore needs, not the others: \`from 3 of 9 files\`. \`-at random\` chooses among all states that the
destination can restore, so a series of drills covers more files. The newest state must be restorable in any case.

The window of loss is the age of the newest restorable commit: at most what was committed since would be lost. It is 0 if the live
database is in that very state.

Of a destination with a backup of Litestream 0.3, the backup that \`restore\` would take is drilled. Its states are uploads: they have times and no
TXIDs, so nothing is compared with the live database.

With \`-running\` the running replicator drills, and this command waits and prints the same. The machine on which you type it then needs no
credentials and no scratch folder. What is checked comes from the flags; the scratch folder, its limit and the bandwidth come from \`drill\` in the
configuration. The replicator runs one drill at a time, so it may have to end another one first. It logs the result, and writes it beside the backup
like those of its schedule. If you interrupt the command, the drill ends. It needs a configuration file that has the database.

With \`drill: { every: 24h }\` in the [configuration](configuration.md#drills-on-a-schedule), the replicator drills on a schedule. The last result of each destination is kept in \`drill.json\` in the staging folder, for [status](#status) and \`/metrics\`, and the time and result of the 20 drills before it for the [page](page.md). The exit code is
0 if all results are ok, [12](errors.md#exit-codes) if one failed, and 13 if none failed but one is inconclusive.`,
  repair: REPAIR_MORE,
  ...CONTROL_MORE,
  mcp: `An assistant starts it, and asks it on stdin; so it needs no address and no token, and has the rights of the user who runs it. For example, in the configuration of the assistant:

\`\`\`json
{"mcpServers":{"sluice":{"command":"sluice","args":["mcp","-config","/etc/sluice.yml"]}}}
\`\`\`

| tool | the command that it runs | arguments |
| --- | --- | --- |
| \`status\` | [status](#status) | \`database\` |
| \`history\` | [history](#history) | \`database\`, \`replica\`, \`since\`, \`until\`, \`limit\` |
| \`restore_plan\` | [restore](#restore) \`-dry-run\` | \`database\`, \`replica\`, \`txid\`, \`timestamp\` |
| \`drill\` | [drill](#drill) | \`database\`, \`replica\`, \`at\`, \`txid\`, \`timestamp\` |

No tool changes a database or a backup. A drill writes its copy to the temporary folder of the system and removes it; its result is kept for [status](#status), like
that of any drill. A database is one of the configuration: URLs are refused, so that an assistant cannot name other servers or files, and so is SQL. Tools run one at a
time. Answers contain no secrets of the configuration. [Why](decisions/0050-tools-for-assistants.md).`,
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
precisely, from the last time at which the destination was known to have everything.

The state of a database is read from the staging folder. If nothing was written there for about 20 s, the running replicator is asked, for at most 2 s: on a full
disk it answers, and says since when it fails; if it hangs it does not. The replicator of an application ([openSluice](library.md)) is not asked.`,
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
    `All commands use the same [exit codes](errors.md#exit-codes). \`sluice COMMAND -help\` lists the flags of a command, \`sluice help CODE\` says what an
error code means, and \`sluice help PAGE\` prints a page of this documentation; \`sluice help pages\` lists the pages.`,
    `With \`-json\` a command prints JSON on stdout. The package \`sluice\` has a JSON Schema (draft-07) of the output of each command, such
as [\`schemas/status.json\`](../apps/cli/schemas/status.json). Later versions may add keys, so ignore those that you do not know.`,
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
    `**JSON.** ${shapeOf(name)}`,
  ];
}

function shapeOf(command: string): string {
  const shape = JSON_SHAPES[command];
  if (shape === undefined) throw new Error(`JSON_SHAPES has nothing about ${command}`);
  return shape;
}

function toRow(flag: Flag): string[] {
  return [code(nameOf(flag)), flag.help, knownBy(flag.knownBy)];
}
