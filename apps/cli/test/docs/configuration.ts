/** docs/configuration.md, from the schemas of the sections and of our backends. */

import type { JSONSchema } from '@sluice/core/config';
import { keysOfBackend } from '../../src/config/defaults.ts';
import { DATABASE, REPLICA, TOP } from '../../src/config/schema.ts';
import { WORDS, type Word } from '../../src/litestream.ts';
import { loadBackend } from '../../src/load-backend.ts';
import { DEFAULT_PLACES } from '../../src/shell.ts';
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
    `A YAML file with the keys of Litestream 0.3 and 0.5, and some of our own. It is read from the place that \`-config\`
names, else \`SLUICE_CONFIG\`, else \`LITESTREAM_CONFIG\`, else the first of ${listed(DEFAULT_PLACES)} that exists. A file that was
found there is named on stderr. \`sluice config check\` reads it and says where each destination is, what has no effect and what is wrong.`,
    `\`\`\`yaml\n${example.trim()}\n\`\`\``,
    `The first line tells an editor with a YAML language server about the [JSON Schema](../apps/cli/sluice.schema.json), which the package
\`sluice\` contains: the editor then completes keys and shows their help.`,
    `It is read strictly: a key that is unknown or refused, a value of the wrong type, two destinations at one place, a missing
package are errors. All are listed at once, each with its line and, for a mistyped key, the nearest that exists. Keys that are
right but have no effect in this version are said at the start.`,
    `Values are written as in Litestream: durations as \`500ms\`, \`10s\`, \`5m\`, \`24h\` or \`1h30m\`; sizes as bytes, \`10MB\` (10,000,000) or
\`10MiB\` (10,485,760); booleans as \`true\` or \`false\` (\`yes\`, \`no\`, \`on\`, \`off\` work too). Anchors, aliases and \`<<\` work.`,
    '## At the top',
    renderKeys(flatten(TOP)),
    renderWords((word) => word.scope === 'top'),
    `Every key of a destination, but for \`name\`, \`type\`, \`path\` and \`url\`, may stand here too, and is the default for all
destinations that have such a key.`,
    '## Databases (`dbs`)',
    renderKeys(flatten(DATABASE)),
    renderWords((word) => word.scope === 'database'),
    `A database that is missing, or empty, is waited for. One that is not in WAL mode is switched to it, and that is said.`,
    '## Destinations (`replicas`, or one `replica`)',
    renderKeys(flatten(REPLICA)),
    renderWords((word) => word.scope === 'replica' && word.of === undefined),
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
    await keysOfType('s3'),
    '### `type: gs`',
    `Google Cloud Storage. \`url\` is \`gs://bucket/path\`, with other keys behind a question mark. \`gcs\`, as Litestream 0.3 calls it, is
the same. Without \`credentials\`, Google’s application default credentials are used: environment, \`gcloud\`, the machine’s own.`,
    await keysOfType('gs'),
    '### `type: abs`',
    `\`url\` is \`abs://account@container/path\`, with other keys behind a question mark. Without \`account-key\`, \`sas-token\`,
\`sas-token-path\` or \`connection-string\`, DefaultAzureCredential is used: environment, workload and managed identity, the Azure CLI.
It comes with the package \`@azure/identity\`, which then has to be installed beside Sluice.`,
    await keysOfType('abs'),
    '### `type: sftp`',
    `\`url\` is \`sftp://user:password@host:port/path\`, with other keys behind a question mark; \`/~/path\` begins in the folder where
the server puts the user, as a \`path\` without a slash does. Without \`host-key\` or \`known-hosts\` no server is trusted: the error says
which key it has shown.`,
    await keysOfType('sftp'),
    '### Types by package',
    `Any npm package that speaks our contract for backends is a type: \`type: '@acme/sluice-http'\` with the keys that it reads, or
\`url: '@acme/sluice-http+https://…'\`. It is looked for from the folder of the configuration, then from that of Sluice. Its schema says
its keys, types and secrets as ours do: wrong keys, \`<key>-file\` for secrets, defaults at the top and \`sluice check\` work the same.`,
    '### Types that are refused',
    renderWords((word) => word.of !== undefined),
    '## Variables',
    `\`$VAR\` and \`\${VAR}\` stand for a variable of the environment, \`$PID\` for our process, \`$$\` for a dollar sign; \`-no-expand-env\`
turns that off. \`\${VAR:-default}\` is the default where the variable is not set or empty, \`\${VAR-default}\` where it is not set; a
default may hold variables itself. Other forms that shells know are refused. Variables are filled in after the file has been read as
YAML, so a value may hold any character. A variable that is not set stands for nothing, which is said at the start; at a key that may
hold a secret its name is not shown.`,
    `**Secrets in files.** Wherever a variable is read, by us or in the file, and it is not set, \`<variable>_FILE\` may name a file
that holds its value: \`AWS_SECRET_ACCESS_KEY_FILE=/run/secrets/key\`. In the file, keys that end in \`-file\` do the same. No secret is
printed, wherever it turns up.`,
    table(
      ['variable', 'meaning'],
      VARIABLES.map(({ name, help }) => [name.split(', ').map(code).join(', '), help]),
    ),
  );
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
