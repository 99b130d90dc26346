/** docs/configuration.md, from the tables of keys and variables. */

import { VARIABLES } from '../../src/surface/environment.ts';
import { isOwnType } from '../../src/backends.ts';
import { DEFAULT_PLACES } from '../../src/shell.ts';
import type { Key } from '../../src/surface/key.ts';
import { GLOBAL_KEYS, keysOf } from '../../src/surface/keys.ts';
import { REPLICA_KEYS } from '../../src/surface/keys-replica.ts';
import { code, knownBy, page, reason, table } from './markdown.ts';

export function renderConfiguration(example: string): string {
  const common = REPLICA_KEYS.filter(({ of }) => of === undefined);
  const keysOfType = (type: string): readonly Key[] =>
    REPLICA_KEYS.filter(({ of }) => of?.includes(type) === true);
  const foreign = REPLICA_KEYS.filter(({ of }) => of !== undefined && !of.some(isOwnType));
  return page(
    '# Configuration',
    '<!-- Made from apps/cli/src/surface. Change the table there, then run: pnpm vitest run --project unit apps/cli/test/docs.test.ts -u -->',
    `A YAML file: all keys of Litestream 0.3 and 0.5, and some of our own. It is read from the place that \`-config\`
names, else \`SLUICE_CONFIG\`, else \`LITESTREAM_CONFIG\`, else the first of ${DEFAULT_PLACES.map(code).join(' and ')} that is there.`,
    `\`\`\`yaml\n${example.trim()}\n\`\`\``,
    `It is read strictly: a key that is unknown or refused, a value of the wrong type, two destinations at one place, a missing
package are errors. All are listed at once, each with its line and, for a mistyped key, the nearest that there is. Keys that are
right but have no effect in this version are said at the start.`,
    `Values are written as in Litestream: durations as \`500ms\`, \`10s\`, \`5m\`, \`24h\` or \`1h30m\`; sizes as bytes, \`10MB\` (10,000,000) or
\`10MiB\` (10,485,760); booleans as \`true\` or \`false\`. Anchors, aliases and \`<<\` work.`,
    '## At the top',
    renderKeys(GLOBAL_KEYS),
    `Every key of a destination, but for \`name\`, \`type\`, \`path\` and \`url\`, may stand here too, and is the default for all
destinations of its type.`,
    '## Databases (`dbs`)',
    renderKeys(keysOf('database')),
    `A database that is missing, or empty, is waited for. One that is not in WAL mode is switched to it, and that is said.`,
    '## Destinations (`replicas`, or one `replica`)',
    renderKeys(common),
    `A destination is called by its \`name\`, else by its type: \`s3\`, then \`s3-2\`, \`s3-3\`. Logs, metrics, \`status\` and \`-replica\` use
that name.`,
    `One file is made of each change and sent to all destinations of a database, so the shortest \`sync-interval\` of any of them
counts for all, and so does the shortest \`snapshot-interval\`. A change is sent at once. Only when ten files were made faster than one per
\`sync-interval\` do the next changes wait, together, for at most that time.`,
    '### `type: file`',
    `\`path\` is the folder; \`url\` is \`file:///folder\`. Both forms write into it as Litestream does (\`ltx/0\` … \`ltx/9\`).`,
    '### `type: s3`',
    `\`url\` is \`s3://bucket/path\`, with other keys behind a question mark: \`?region=eu-west-1&endpoint=https://…\`.
Without \`access-key-id\`, the credential chain of the AWS SDK is used: environment, profiles, roles.`,
    renderKeys(keysOfType('s3')),
    '### `type: gs`',
    `Google Cloud Storage. \`url\` is \`gs://bucket/path\`, with other keys behind a question mark. \`gcs\`, as Litestream 0.3 calls it, is
the same. Without \`credentials\`, Google’s application default credentials are used: environment, \`gcloud\`, the machine’s own.`,
    renderKeys(keysOfType('gs')),
    '### `type: abs`',
    `\`url\` is \`abs://account@container/path\`, with other keys behind a question mark. Without \`account-key\`, \`sas-token\`,
\`sas-token-path\` or \`connection-string\`, DefaultAzureCredential is used: environment, workload and managed identity, the Azure CLI.
It comes with the package \`@azure/identity\`, which then has to be installed beside Sluice.`,
    renderKeys(keysOfType('abs')),
    '### `type: sftp`',
    `\`url\` is \`sftp://user:password@host:port/path\`, with other keys behind a question mark; \`/~/path\` begins in the folder where
the server puts the user, as a \`path\` without a slash does. Without \`host-key\` or \`known-hosts\` no server is trusted: the error says
which key it has shown.`,
    renderKeys(keysOfType('sftp')),
    '### Types by package',
    `Any npm package that speaks our contract for backends is a type: \`type: '@acme/sluice-http'\` with the keys that it reads, or
\`url: '@acme/sluice-http+https://…'\`. It is looked for from the folder of the configuration, then from that of Sluice.`,
    '### Types that are refused',
    table(
      ['key', 'Litestream', 'instead'],
      foreign.map((key) => [code(key.name), knownBy(key.knownBy), reason(key.fate)]),
    ),
    '## Variables',
    `\`$VAR\` and \`\${VAR}\` stand for a variable of the environment, \`$PID\` for our process; \`-no-expand-env\` turns that off.
\`\${VAR:-default}\` is the default where the variable is not set or empty, \`\${VAR-default}\` where it is not set; a default may hold
variables itself. Other forms that shells know are refused. Variables are
filled in after the file has been read as YAML, so a value may hold any character. A variable that is not set stands for nothing,
which is said at the start.`,
    `**Secrets in files.** Wherever a variable is read, by us or in the file, and it is not set, \`<variable>_FILE\` may name a file
that holds its value: \`AWS_SECRET_ACCESS_KEY_FILE=/run/secrets/key\`. In the file, keys that end in \`-file\` do the same. No secret is
printed, wherever it turns up.`,
    table(
      ['variable', 'meaning'],
      VARIABLES.map(({ name, help }) => [name.split(', ').map(code).join(', '), help]),
    ),
  );
}

function renderKeys(keys: readonly Key[]): string {
  const works = keys.filter(({ fate }) => fate.kind === 'works');
  const others = keys.filter(({ fate }) => fate.kind !== 'works');
  return page(
    table(
      ['key', 'value', 'default', 'meaning', 'Litestream'],
      works.map((key) => [
        code(key.name),
        typeOf(key),
        key.standard ?? '',
        key.help,
        knownBy(key.knownBy),
      ]),
    ),
    others.length === 0
      ? ''
      : table(
          ['not in effect', 'Litestream', 'because'],
          others.map((key) => [
            code(key.name),
            knownBy(key.knownBy),
            key.fate.kind === 'noted'
              ? `taken: ${reason(key.fate)}`
              : `refused: ${reason(key.fate)}`,
          ]),
        ),
  ).trimEnd();
}

function typeOf({ type }: Key): string {
  switch (type.kind) {
    case 'choice':
      return type.values.join(', ');
    case 'duration':
      return type.leastMs > 0 ? `duration, from ${type.leastMs}ms` : 'duration';
    case 'number':
      return `number, from ${type.least}`;
    case 'boolean':
    case 'list':
    case 'map':
    case 'secret':
    case 'size':
    case 'text':
      return type.kind;
  }
}
