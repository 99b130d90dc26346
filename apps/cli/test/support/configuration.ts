/** Small configurations with one additional key, built from the examples in the schemas. */

import { generateKeyPairSync } from 'node:crypto';
import { stringify } from 'yaml';
import { readConfig } from '../../src/config/read.ts';
import type { Config } from '../../src/config/model.ts';
import { Secrets } from '../../src/secrets.ts';
import type { Environment } from '../../src/shell.ts';
import type { Row } from './rows.ts';
import { temporaryFolder, writeFile } from './temporary.ts';

export type Values = Record<string, unknown>;

export async function readText(
  text: string,
  environment: Environment = {},
  secrets: Secrets = new Secrets(),
): Promise<Config> {
  return await readConfig(text, {
    source: 'test.yml',
    folder: temporaryFolder(),
    environment,
    variables: 'expand',
    secrets,
  });
}

const FOLDER = { path: '/backup/app' };
/** Required keys of each type. */
const REPLICAS: Readonly<Record<string, Values>> = {
  s3: { type: 's3', bucket: 'b', path: 'p' },
  gs: { type: 'gs', bucket: 'b', path: 'p' },
  abs: { type: 'abs', bucket: 'backups', 'account-name': 'account', path: 'p' },
  sftp: { type: 'sftp', host: 'h', user: 'u', path: 'p' },
};

/** A configuration with `extra` in the given scope. */
export function withValues(row: Pick<Row, 'scope' | 'of'>, extra: Values): string {
  const replica = REPLICAS[row.of ?? 'file'] ?? FOLDER;
  const database = { path: '/data/app.db', replicas: [{ ...replica }] };
  switch (row.scope) {
    case 'top':
      // A default applies only if the destination does not set the key.
      for (const name of Object.keys(extra)) delete (database.replicas[0] as Values)[name];
      return stringify({ dbs: [database], ...extra });
    case 'database': {
      const { replicas, ...rest } = database;
      return stringify({
        dbs: [{ ...rest, ...('replica' in extra ? {} : { replicas }), ...extra }],
      });
    }
    case 'replica': {
      const { path, ...rest } = replica as Values;
      const own = 'url' in extra ? rest : { ...rest, path };
      return stringify({ dbs: [{ ...database, replicas: [{ ...own, ...extra }] }] });
    }
  }
}

/** `snapshot.interval` with its example becomes `{ snapshot: { interval: '6h' } }`. */
export function exampleOf({ name, json }: Row): Values {
  const [example] = json.examples ?? [];
  const isFile = name.endsWith('-file') || name === 'sse-customer-key-path';
  if (isFile) return nest(name, writeFile(temporaryFolder(), 'secret', SECRETS[name] ?? SSE_KEY));
  if (name === 'credentials') return nest(name, SERVICE_ACCOUNT);
  return nest(name, EXAMPLES[name] ?? example);
}

/** Examples for keys without one in the schema. */
const EXAMPLES: Values = {
  dbs: [{ path: '/data/other.db', replica: { path: '/backup/other' } }],
  replica: { path: '/backup/other' },
  replicas: [{ path: '/backup/other' }],
  'drill.assert': ['SELECT count(*) FROM orders'],
  'page.hosts': ['backup.example.com'],
};

export function nest(name: string, value: unknown): Values {
  const [group = '', inner] = name.split('.');
  return { [group]: inner === undefined ? value : { [inner]: value } };
}

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const SERVICE_ACCOUNT = JSON.stringify({
  type: 'service_account',
  client_email: 'replicator@example.iam.gserviceaccount.com',
  private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
});

/** Contents of secret files that are not base64. */
const SECRETS: Readonly<Record<string, string>> = {
  'credentials-file': SERVICE_ACCOUNT,
  'encryption.recipients-file': 'age1yce5y72ejzvh6cwwctdlj2fz5f3adc7k3wqpkt2guqmvuecyddtswjdyft\n',
  'sas-token-file': 'sv=1&sig=c2ln',
  'connection-string-file': 'AccountName=account;AccountKey=a2V5',
};

/** 32 bytes in base64. */
const SSE_KEY = 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=';

/** The whole configuration except its notes, each database once, as text. */
export function effectOf(read: Config): string {
  const { notes: _, items: _1, ...config } = read;
  return revealed(config);
}

/** Where each database goes and with which settings, as text. */
export function destinationsOf({ databases }: Config): string {
  return revealed(
    databases.map(({ options, destinations }) => [
      options.path,
      destinations.map(({ target, place, path, config }) => ({ target, place, path, config })),
    ]),
  );
}

/** JSON with the secrets in it. */
function revealed(value: unknown): string {
  // Uses the holder, because secrets are already redacted in the replacer's second argument.
  return JSON.stringify(value, function reveal(this: Values, name) {
    const inner = this[name];
    if (name === 'backend') return undefined;
    return isSecret(inner) ? inner.reveal() : inner;
  });
}

function isSecret(value: unknown): value is { reveal(): string } {
  return typeof value === 'object' && value !== null && 'reveal' in value;
}
