/** Builds docs/configuration.md from the schemas of the sections and of our backends. */

import type { JSONSchema } from '@sluice/core/config';
import { keysOfBackend } from '../../src/config/defaults.ts';
import { DATABASE, REPLICA, TOP } from '../../src/config/schema.ts';
import { WORDS, type Word } from '../../src/litestream.ts';
import { loadBackend } from '../../src/load-backend.ts';
import { DEFAULT_CONFIG_PATHS } from '../../src/shell.ts';
import { VARIABLES } from '../../src/surface/environment.ts';
import { flatten } from '../support/rows.ts';
import { code, knownBy, page, reason, table } from './markdown.ts';

type Keys = readonly (readonly [string, JSONSchema])[];

export async function renderConfiguration(example: string): Promise<string> {
  const keysOfType = async (type: string): Promise<string> => {
    const keys = Object.entries(keysOfBackend(await loadBackend(type, '/')) ?? {});
    return renderKeys(keys.filter(([key]) => key !== 'path'));
  };
  return page(
    '# Configuration',
    '<!-- Made from the schemas in apps/cli/src/config/schema.ts and packages/*/src/config.ts. Change those, then run: pnpm vitest run --project unit apps/cli/test/docs.test.ts -u -->',
    `The configuration is a YAML file with the keys of Litestream 0.3 and 0.5, and some additional ones. Its path is given by \`-config\`,
otherwise by \`SLUICE_CONFIG\` or \`LITESTREAM_CONFIG\`. Without these, Sluice uses the first of ${listed(DEFAULT_CONFIG_PATHS)} that exists,
and prints its path to stderr. \`sluice config check\` lists the destinations, settings without effect, and all problems.`,
    `\`\`\`yaml\n${example.trim()}\n\`\`\``,
    `The first line points editors with a YAML language server to the [JSON Schema](../apps/cli/sluice.schema.json), which the package
\`sluice\` contains, so that the editor completes keys and shows their help.`,
    `Unknown or refused keys, values of the wrong type, two destinations with the same target, and missing packages are errors. All errors
are reported together, each with its line and, for a misspelled key, the closest existing key. Sluice logs keys that have no effect in
this version when it starts.`,
    `Values are written as in Litestream: durations as \`500ms\`, \`10s\`, \`5m\`, \`24h\`, \`1h30m\` or (not in Litestream) \`7d\`; sizes as bytes, \`10MB\` (10,000,000) or
\`10MiB\` (10,485,760); booleans as \`true\` or \`false\` (\`yes\`, \`no\`, \`on\`, \`off\` work too). Anchors, aliases and \`<<\` work.`,
    '## Top level',
    renderKeys(flatten(TOP)),
    renderWords((word) => word.scope === 'top'),
    `Every key of a destination except \`name\`, \`type\`, \`path\` and \`url\` is also allowed here, as the default for all
destinations that have the key.`,
    '### Drills on a schedule',
    `With \`drill: { every: 24h }\`, the replicator restores each destination alone, to a folder that is then removed, and checks the
result, as [\`sluice drill\`](commands.md#drill) does. A database overrides single keys; \`every: 0\` turns its drills off. The first drill comes at a random
moment within \`every\`, so that many databases do not drill together; a restart neither repeats nor skips one. One drill runs at a time, in a process
of its own with a low priority, which reads this file again. It takes the room of one restored database in \`scratch\`; if that is more than \`max-bytes\`
or would leave less than a tenth of the disk free, the drill is inconclusive and says the numbers. A drill reads all files that its restore needs: \`bandwidth\` limits how fast,
and the time to restore (RTO) then includes that limit. Every drill costs the requests and the traffic of a restore. Its checks may take
a minute, a quarter of \`every\`, or the time to read the restored database once for each check at 4 MiB/s, whichever is longest; then they are
ended, and the drill is inconclusive and names the one that did not end.`,
    `With \`keep: 2GiB\` and \`at: latest\`, a restored copy up to that size stays in \`scratch\`, one for each destination, until the next drill. That one is *warm*: it
applies only newer files to the copy, and makes the same checks. It does not read older files again, so every seventh drill is a full one, and a
full one follows at once if a warm one is not ok: a damaged file fails the drill, and a check that only the warm one failed makes it
inconclusive. A copy that another program has changed is thrown away. A warm drill measures no time to restore. Files of Litestream do not say which history they belong to: their drills are full ones. The copies hold the data of the database in plain text, readable only for
the user of the replicator; they are removed at a start without \`keep\`, if the section \`drill\` and \`scratch\` are still there.`,
    `A failed drill is one line of level error, an inconclusive one a warning. The last result is in \`sluice status\`, in \`/metrics\`, and beside the
backup in the object \`sluice-drill.json\`, which Litestream ignores. It is written with the credentials of the destination; if they do not allow
that, the log says so once. \`replicate -once\` does not drill.`,
    '### Heartbeats and notifications',
    `\`heartbeat.url\` is requested every \`interval\` while every database was opened and is [healthy](metrics.md). A service such as healthchecks.io raises
an alarm when the requests stop, so it also notices that the process or the machine is gone:`,
    yaml(
      `heartbeat: { url: https://hc-ping.com/5b0e6f8e-0000-4000-8000-000000000000, interval: 5m }`,
    ),
    `\`notify\` sends a POST when a database becomes unhealthy, and when it is healthy again. Without \`template\` the body is JSON: \`event\` (\`unhealthy\` or \`healthy\`),
\`text\`, \`host\`, \`time\`, \`databases\` (\`path\` and \`problems\` of at most 20) and \`more\`. A template is text, or JSON, with \`{{event}}\`, \`{{text}}\`, \`{{databases}}\`,
\`{{count}}\`, \`{{host}}\` and \`{{time}}\`; in JSON they are escaped. \`headers\` may have them too. \`on: [unhealthy]\` leaves the good news out. For ntfy and Slack:`,
    yaml(`notify:
  - url: https://ntfy.sh/my-backups
    headers: { Title: 'SQLite backup {{event}} on {{host}}', Authorization: Bearer $NTFY_TOKEN }
    template: '{{text}}'
  - url: $SLACK_WEBHOOK_URL
    template: '{ "text": "{{text}}" }'`),
    `Changes within 30 seconds are sent together; a change that is over by then is not sent. If a request fails or is not answered within 10 seconds, the log has one
warning, and it is repeated after 30 seconds, a minute, and so on, at most every 10 minutes, as long as it is still true. No replication waits for
it. A restart forgets who was told: what is unhealthy after it is sent again. URLs and headers are secrets, and are never printed.`,
    '### Scrub',
    `With \`scrub: { every: 168h }\`, the replicator reads every file of each destination again, in rounds, and verifies every byte. One destination is read at a
time, at most \`bytes-per-second\` fast. A restart continues the round after the last file that was read (\`scrub.json\` in the staging folder). A damaged file
is an ERROR with its name, and makes the database unhealthy. It is replaced at once by a [repair](repair.md) from another destination. If none has
it whole, the replicator makes a full snapshot; after that the newest state can be restored again, and only older states are lost. At the end of a
round everything that the destinations lack is copied, too. Where the newest file that was sent is gone, the round does not count. The state is in \`sluice status\` and \`/metrics\`. A scrub costs one request for each file, and the
traffic of all files. \`replicate -once\` does not scrub.`,
    '### The page',
    `With \`addr\`, the replicator serves [a page](page.md) at it: would data be lost now, how much, and since when? It can be read without a token if
\`addr\` is this machine. If other machines reach \`addr\`, it needs \`page.token\` or \`page.token-file\`; without one the page is off, and
\`enabled: true\` is then an error.`,
    '## Databases (`dbs`)',
    renderKeys(flatten(DATABASE)),
    renderWords((word) => word.scope === 'database'),
    `Sluice waits for databases that are missing or empty. It switches databases to WAL mode if necessary, and logs that.`,
    '### Directories',
    `With \`dir\` and \`pattern\` instead of \`path\`, each database of a folder is replicated, for example one for each tenant:

\`\`\`yaml
dbs:
  - dir: /data/tenants
    pattern: '*.db'
    recursive: true
    replica:
      url: s3://bucket/tenants
\`\`\`

The database \`/data/tenants/eu/a.db\` is sent to \`s3://bucket/tenants/eu/a.db\`, as in Litestream, with the settings of the entry. The pattern is compared
with the name of a file; files that are not SQLite databases are named once in the log and left alone, as are warm copies; symbolic links are
not followed, and a second hard link of a database is left alone. An entry with \`path\` for a file in the folder has precedence. Base paths must not be inside one another, or inside the
folder, so that two databases never share a destination; a folder or file called \`ltx\`, \`generations\` or \`000…\` is refused for the same reason.

With \`watch\` (the default), databases that appear are replicated within seconds. One that is removed gets a last sync, and its replica stays. A renamed database
is a new one: the replica under the old name stays as it is, and the new name gets a full snapshot. A new file under an old name continues the replica of this
name with a full snapshot. If the folder cannot be read, or another volume is mounted there, the databases stay as they are, and \`/status\` answers 503, because other databases may be
in it. It does so too for a file that the pattern means and that cannot be read.

A folder without databases is no error, because the first one may come later: \`status\`, \`config check\` and the log name it, and \`status\` ends with 0. It
is one if the pattern means no file, and a file there that no entry means is a database: then the pattern seems to be wrong, \`status\` ends with 3,
\`/status\` and \`/readyz\` answer 503, and \`replicate\` ends with 2 if it has \`-once\` or the entry \`watch: false\`. A folder that does not exist is treated in the same way. At most 16 databases are opened at a time.

[\`sluice restore /data/tenants/eu/a.db\`](commands.md#restore) finds the replica by the path, also if neither the file nor the folder exists, and so do the other commands that take
a database. \`restore-if-db-not-exists\` cannot be used, because a missing database has no name.`,
    '## Destinations (`replicas`, or one `replica`)',
    renderKeys(flatten(REPLICA)),
    renderWords((word) => word.scope === 'replica' && word.of === undefined),
    `Without a \`name\`, a destination is named after its type: \`s3\`, then \`s3-2\`, \`s3-3\`. Logs, metrics, \`status\` and \`-replica\` use
this name.`,
    `The same files are sent to all destinations of a database. The shortest \`sync-interval\` of any destination decides how often a file is
made. A destination with a longer one gets uploads once in its own interval, and merged files where there are any. A commit is normally sent immediately. Only after ten files faster than one per \`sync-interval\` do the next
commits wait, for at most one interval, and are sent in one file.

All commits in one file have one time, so \`restore -timestamp\` cannot tell them apart. With \`sync-interval: 10ms\`, commits that are
20 ms apart have files and times of their own, on a volume that syncs a file within about 2 ms. That costs up to 100 files a second:
each is one request at each destination (\`sluice cost -sync-interval 10ms\` forecasts them) and about six syncs of the staging folder,
and 50 files a second take about a tenth of a CPU core. A slower volume, or a busy machine, puts more commits into one file.

Each destination gets full snapshots at its own \`snapshot-interval\`. A snapshot is made once, and sent to the destinations that are due, or
will be within a tenth of the shortest interval. It is also sent to those with a shorter interval. A destination with a longer one does not get it,
unless it needs it: it has no snapshot, files are missing there, or it was down for so long that the files it lacks are no longer staged. All states can
be restored from every destination all the same. With a longer interval a restore reads more files, and files stay up to one interval longer than the
\`retention\`. An interval much shorter than the retention costs space: with \`1h\` and \`72h\`, 73 full snapshots are kept there.`,
    '### `type: file`',
    `\`path\` is the folder; \`url\` is \`file:///folder\`. Both forms use the same layout as Litestream (\`ltx/0\` … \`ltx/9\`).`,
    '### `type: s3`',
    `\`url\` is \`s3://bucket/path\`, with other keys after a question mark: \`?region=eu-west-1&endpoint=https://…\`.
Without \`access-key-id\`, the credential chain of the AWS SDK is used: environment, profiles, roles.`,
    await keysOfType('s3'),
    '### `type: gs`',
    `Google Cloud Storage. \`url\` is \`gs://bucket/path\`, with other keys after a question mark. \`gcs\`, the name in Litestream 0.3, is
the same type. Without \`credentials\`, Google’s application default credentials are used: environment, \`gcloud\`, the machine’s service account.`,
    await keysOfType('gs'),
    '### `type: abs`',
    `\`url\` is \`abs://account@container/path\`, with other keys after a question mark. Without \`account-key\`, \`sas-token\`,
\`sas-token-path\` or \`connection-string\`, DefaultAzureCredential is used: environment, workload and managed identity, the Azure CLI.
This requires the package \`@azure/identity\`, which you install next to Sluice.`,
    await keysOfType('abs'),
    '### `type: sftp`',
    `\`url\` is \`sftp://user:password@host:port/path\`, with other keys after a question mark; \`/~/path\` is relative to the
login folder of the user, like a \`path\` without a leading slash. Without \`host-key\` or \`known-hosts\` no server is trusted; the error
shows the key of the server.`,
    await keysOfType('sftp'),
    '### Third-party types',
    `Any npm package that implements the storage contract can be used as a type: \`type: '@acme/sluice-http'\` with its own keys, or
\`url: '@acme/sluice-http+https://…'\`. The package is resolved from the folder of the configuration, then from Sluice. Its schema defines
its keys, types and secrets, so error messages, \`<key>-file\` for secrets, top-level defaults and \`sluice check\` work as for built-in types.`,
    '### Refused types',
    renderWords((word) => word.of !== undefined),
    '## Variables',
    `\`$VAR\` and \`\${VAR}\` are replaced by the environment variable, \`$PID\` by the process ID, and \`$$\` by a dollar sign;
\`-no-expand-env\` turns this off. \`\${VAR:-default}\` uses the default if the variable is not set or empty, \`\${VAR-default}\` if it is not
set; a default may contain variables. Other forms of shells are refused. Variables are expanded after the YAML is parsed, so values may
contain any character. A variable that is not set is replaced by an empty text, and Sluice logs it when it starts; the log does not show
its name if the key may contain a secret.`,
    `**Secrets in files.** If a variable is not set, \`<variable>_FILE\` may name a file with its value:
\`AWS_SECRET_ACCESS_KEY_FILE=/run/secrets/key\`. In the configuration, keys that end in \`-file\` do the same. Secrets are never printed.`,
    table(
      ['variable', 'meaning'],
      VARIABLES.map(({ name, help }) => [name.split(', ').map(code).join(', '), help]),
    ),
  );
}

function yaml(text: string): string {
  return `\`\`\`yaml\n${text}\n\`\`\``;
}

function renderKeys(keys: Keys): string {
  return table(
    ['key', 'value', 'default', 'meaning', 'example'],
    keys.map(([key, json]) => [
      code(key),
      valueOf(json),
      defaultOf(json),
      json.description ?? '',
      written(json.examples?.[0]),
    ]),
  );
}

function renderWords(isOne: (word: Word) => boolean): string {
  return table(
    ['key of Litestream', 'of', 'here'],
    WORDS.filter(isOne).map(({ key, knownBy: who, support }) => [
      code(key),
      knownBy(who),
      support.kind === 'noted' ? `no effect: ${reason(support)}` : `refused: ${reason(support)}`,
    ]),
  );
}

function defaultOf(json: JSONSchema): string {
  return written(json.default) || (json['x-default'] ?? '');
}

function written(value: unknown): string {
  if (value === undefined) return '';
  return code(typeof value === 'string' ? value : JSON.stringify(value));
}

function valueOf(json: JSONSchema): string {
  if (json.enum !== undefined) return json.enum.join(', ');
  const type = typeof json.type === 'string' ? json.type : json.type?.join(' or ');
  const kind = json['x-kind'] ?? NAMES[type ?? ''] ?? type ?? 'any';
  const [min, max] = [json['x-min'], json['x-max']];
  if (max !== undefined) return `${kind}, ${min ?? 0} to ${max}`;
  return min === undefined ? kind : `${kind}, from ${min}`;
}

const NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'number',
  array: 'list',
  object: 'map',
};

function listed(places: readonly string[]): string {
  const last = places.length - 1;
  return `${places.slice(0, last).map(code).join(', ')} and ${code(places[last] ?? '')}`;
}
