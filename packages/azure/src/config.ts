/**
 * The configuration of a replica in a container: all keys of Litestream 0.3 and 0.5 for abs, and some of ours.
 * In YAML or in the query of a URL: abs://account@container/path?key=value.
 */

import { posix } from 'node:path';
import {
  isSecret,
  keysOfQuery,
  percentDecoded,
  ReplicationError,
  rootOfURLPath,
  secret as hide,
  type ConfigSchema,
  type DestinationDescription,
  type Secret,
} from '@sluice/core/backend';
import {
  choice,
  endpoint,
  exclusive,
  integer,
  isGiven,
  keyPath,
  rules,
  secret,
  size,
  text,
  problemWithBucket,
  type AddIssue,
} from '@sluice/core/backend/config';
import { z } from 'zod';

export type Credentials =
  | { readonly kind: 'shared-key'; readonly accountName: string; readonly accountKey: Secret }
  | { readonly kind: 'sas'; readonly token: Secret }
  | { readonly kind: 'sas-file'; readonly path: string }
  | { readonly kind: 'default' };

export interface AzureConfig {
  readonly container: string;
  /** URL of the account, without a trailing slash: "https://account.blob.core.windows.net". */
  readonly endpoint: string;
  readonly credentials: Credentials;
  readonly blockSizeBytes: number;
  readonly blocksAtOnce: number;
  readonly accessTier: AccessTier | undefined;
}

/** Without Archive: its blobs cannot be read directly. */
const ACCESS_TIERS = ['Hot', 'Cool', 'Cold'] as const;
export type AccessTier = (typeof ACCESS_TIERS)[number];

const MIB = 1024 * 1024;
/** Smaller blocks mean more requests and are not faster. Azure has no minimum. */
const BLOCK_BYTES_MIN = MIB;
/** A block is kept in memory. Azure's limit is 4,000 MiB. */
const BLOCK_BYTES_MAX = 512 * MIB;
/** More would need more memory, and the destination has only 16 sockets. */
const BLOCKS_AT_ONCE_MAX = 16;

const KEYS = z.strictObject({
  bucket: text('the container', { example: 'backups', check: problemWithContainer }),
  path: keyPath({ check: problemWithRoot }),
  'account-name': text('the storage account', {
    example: 'account',
    defaultText: 'from the URL or the connection string',
    check: problemWithAccount,
  }).optional(),
  endpoint: endpoint('another cloud, or an emulator', {
    example: 'https://a.example.com',
    defaultText: 'https://<account-name>.blob.core.windows.net',
  }).optional(),
  'account-key': secret('an account key, in base64', {
    example: 'a2V5',
    defaultText: 'DefaultAzureCredential',
    check: (key) => (/^[A-Za-z0-9+/]+={0,2}$/.test(key) ? undefined : 'must be base64'),
  }).optional(),
  'sas-token': secret('a SAS token; overrides account-key', {
    example: 'sv=1&sig=c2ln',
    check: (token) =>
      /(^|&)sig=./.test(cleanToken(token)) ? undefined : 'has no signature (sig=…)',
  }).optional(),
  'sas-token-path': text('a file with the SAS token, read for each request', {
    example: '/run/secrets/sas-token',
  }).optional(),
  'connection-string': secret('account, endpoint, key or token in one', {
    example: 'AccountName=account;AccountKey=a2V5',
    check: (joined) => readConnectionString(joined).problem,
  }).optional(),
  'access-tier': choice('access tier of new files', ACCESS_TIERS, {
    example: 'Cool',
    defaultText: 'the account’s',
  }).optional(),
  // With 8 MiB, 50,000 blocks hold 390 GiB; larger blobs use larger blocks.
  'part-size': size('block size; a smaller file is one request', {
    example: '16MiB',
    min: BLOCK_BYTES_MIN,
    max: BLOCK_BYTES_MAX,
  }).prefault('8MiB'),
  // Memory is `concurrency` times the block size: 32 MiB by default.
  concurrency: integer('blocks uploaded concurrently', {
    example: 2,
    min: 1,
    max: BLOCKS_AT_ONCE_MAX,
  }).prefault(4),
});

type Keys = z.output<typeof KEYS>;

export const schema: ConfigSchema<AzureConfig & { readonly path: string }> = KEYS.superRefine(
  ...rules(
    ...['account-name', 'account-key', 'sas-token', 'sas-token-path', 'endpoint'].map((key) =>
      exclusive('connection-string', key),
    ),
    exclusive('sas-token', 'sas-token-path'),
    checkAccount,
  ),
).transform(toConfig);

function toConfig(keys: Keys): AzureConfig & { readonly path: string } {
  const joined = readConnectionString(keys['connection-string']?.reveal() ?? '');
  const accountName = joined.accountName ?? keys['account-name'] ?? '';
  const url = joined.endpoint ?? keys.endpoint ?? `https://${accountName}.blob.core.windows.net`;
  return {
    container: keys.bucket,
    endpoint: url,
    credentials: toCredentials(keys, joined, accountName),
    blockSizeBytes: keys['part-size'],
    blocksAtOnce: keys.concurrency,
    accessTier: keys['access-tier'],
    path: keys.path,
  };
}

function toCredentials(keys: Keys, joined: ConnectionString, accountName: string): Credentials {
  const tokenPath = keys['sas-token-path'];
  const token = joined.token ?? keys['sas-token']?.reveal();
  const accountKey = joined.accountKey ?? keys['account-key']?.reveal();
  if (tokenPath !== undefined) return { kind: 'sas-file', path: tokenPath };
  if (token !== undefined) return { kind: 'sas', token: hide(cleanToken(token)) };
  if (accountKey === undefined) return { kind: 'default' };
  return { kind: 'shared-key', accountName, accountKey: hide(accountKey) };
}

/** The portal shows tokens with a leading question mark. */
export function cleanToken(token: string): string {
  return token.trim().replace(/^\?/, '');
}

export function describe(config: AzureConfig, path: string): DestinationDescription {
  const { container, endpoint: url, blockSizeBytes: partBytes } = config;
  const account = /^https:\/\/([a-z0-9-]+)\.blob\.core\.windows\.net$/.exec(url)?.[1];
  const target =
    account === undefined
      ? `abs://${container}/${path} at ${url}`
      : `abs://${account}@${container}/${path}`;
  return { target, partBytes };
}

/** The keys of `abs://account@container/path?key=value`. */
export function configFromURL(url: URL): unknown {
  const { protocol, pathname, username, password, host, search } = url;
  // Every percent sign in the path must start an escape.
  if (protocol !== 'abs:' || /%(?![0-9a-f]{2})/i.test(pathname)) {
    throw invalid('must be abs://account@container/path');
  }
  // URLs end up in logs and process lists, so passwords in them are refused.
  if (password !== '') throw invalid('contains a password: use account-key instead');
  const path = pathname === '' ? '' : rootOfURLPath(pathname);
  return {
    // An empty part is left out, so that the error is "bucket is missing", not "bucket is empty".
    ...(host !== '' && { bucket: host }),
    ...(username !== '' && { 'account-name': percentDecoded(username) }),
    ...(path !== '' && { path }),
    ...keysOfQuery(search),
  };
}

function problemWithContainer(container: string): string | undefined {
  // Other characters would change the URL of requests.
  if (/^[a-z0-9$-]{3,63}$/.test(container)) return undefined;
  return (
    problemWithBucket(container, 'a container') ??
    'must be the name of a container: 3 to 63 characters of a-z, 0-9 and -'
  );
}

/** The path is joined with the names of blobs like a file path, and must stay in the container. */
function problemWithRoot(path: string): string | undefined {
  return /^\/*\.\.(\/|$)/.test(posix.normalize(path)) ? 'leads out of the container' : undefined;
}

function problemWithAccount(name: string): string | undefined {
  return /^[a-z0-9-]{3,63}$/.test(name) ? undefined : 'must be the name of an account: a-z, 0-9';
}

function checkAccount(keys: Readonly<Record<string, unknown>>, issue: AddIssue): void {
  if (isGiven(keys, 'account-name') || isGiven(keys, 'connection-string')) return;
  if (!isGiven(keys, 'endpoint')) issue('account-name', 'is missing (or set endpoint)');
  else if (isSecret(keys['account-key']) && !isGiven(keys, 'sas-token')) {
    issue('account-name', 'is missing beside account-key');
  }
}

function invalid(message: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', message);
}

interface ConnectionString {
  readonly accountName?: string | undefined;
  readonly accountKey?: string | undefined;
  readonly token?: string | undefined;
  readonly endpoint?: string | undefined;
  /** Does not contain the values; undefined if there is no problem. */
  readonly problem?: string | undefined;
}

/** Reads name=value pairs separated by semicolons, as the portal shows them. */
function readConnectionString(joined: string): ConnectionString {
  if (joined === '') return {};
  const pairs = joined.split(';').map((pair) => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at).trim().toLowerCase(), pair.slice(at + 1).trim()] as const;
  });
  const values = new Map(pairs.filter(([, value]) => value !== ''));
  const accountName = values.get('accountname');
  const url = values.get('blobendpoint') ?? endpointOf(values, accountName);
  const parsed = url === undefined ? undefined : parseEndpoint(url);
  const [accountKey, token] = [values.get('accountkey'), values.get('sharedaccesssignature')];
  const problems: string[] = [];
  if (url === undefined) problems.push('has neither AccountName nor BlobEndpoint');
  else if (parsed === undefined) {
    problems.push('must have an endpoint that is http(s)://host, without password and query');
  }
  if (accountKey === undefined && token === undefined) {
    problems.push('has neither AccountKey nor SharedAccessSignature');
  } else if (url !== undefined && token === undefined && accountName === undefined) {
    problems.push('has an AccountKey and no AccountName');
  }
  const problem = problems.length === 0 ? undefined : problems.join(', and ');
  return { accountName, accountKey, token, endpoint: parsed, problem };
}

function endpointOf(
  values: ReadonlyMap<string, string>,
  accountName: string | undefined,
): string | undefined {
  if (accountName === undefined) return undefined;
  const protocol = values.get('defaultendpointsprotocol') ?? 'https';
  const suffix = values.get('endpointsuffix') ?? 'core.windows.net';
  return `${protocol}://${accountName}.blob.${suffix}`;
}

function parseEndpoint(written: string): string | undefined {
  const url = URL.canParse(written) ? new URL(written) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return undefined;
  if (url.search + url.hash + url.username + url.password !== '') return undefined;
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}
