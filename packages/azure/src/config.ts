/**
 * The configuration of a replica in a container: all keys that Litestream 0.3 and 0.5 have for abs, and some
 * of ours. By YAML or in the query of a URL: abs://account@container/path?key=value.
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
import { readConnectionString } from './connection-string.ts';

export type Credentials =
  | { readonly kind: 'shared-key'; readonly accountName: string; readonly accountKey: Secret }
  | { readonly kind: 'sas'; readonly token: Secret }
  | { readonly kind: 'sas-file'; readonly path: string }
  | { readonly kind: 'default' };

export interface AzureConfig {
  readonly container: string;
  /** Of the account: "https://account.blob.core.windows.net", without a slash at its end. */
  readonly endpoint: string;
  readonly credentials: Credentials;
  readonly blockSizeBytes: number;
  readonly blocksAtOnce: number;
  readonly accessTier: AccessTier | undefined;
}

/** Archive is not among them: what lies there cannot be read. */
const ACCESS_TIERS = ['Hot', 'Cool', 'Cold'] as const;
export type AccessTier = (typeof ACCESS_TIERS)[number];

const MIB = 1024 * 1024;
/** Smaller ones are more requests, and no faster. Azure itself has no least size. */
const BLOCK_BYTES_MIN = MIB;
/** A block lies in memory whole. Azure takes 4,000 MiB. */
const BLOCK_BYTES_MAX = 512 * MIB;
/** More is more memory, and the destination has no more sockets. */
const BLOCKS_AT_ONCE_MAX = 16;

const KEYS = z.strictObject({
  bucket: text('the container', { example: 'backups', check: problemWithContainer }),
  path: keyPath({ check: problemWithRoot }),
  'account-name': text('the storage account', {
    example: 'account',
    defaultText: 'that of the URL or the connection string',
    check: problemWithAccount,
  }).optional(),
  endpoint: endpoint('of another cloud, or of an emulator', {
    example: 'https://a.example.com',
    defaultText: 'https://<account-name>.blob.core.windows.net',
  }).optional(),
  'account-key': secret('a key of the account, in base64', {
    example: 'a2V5',
    defaultText: 'what DefaultAzureCredential finds',
    check: (key) => (/^[A-Za-z0-9+/]+={0,2}$/.test(key) ? undefined : 'must be base64'),
  }).optional(),
  'sas-token': secret('a token; wins over account-key', {
    example: 'sv=1&sig=c2ln',
    check: (token) =>
      /(^|&)sig=./.test(cleanToken(token)) ? undefined : 'has no signature (sig=…)',
  }).optional(),
  'sas-token-path': text('a file that holds it, read for each request: it may change', {
    example: '/run/secrets/sas-token',
  }).optional(),
  'connection-string': secret('account, endpoint, key or token in one', {
    example: 'AccountName=account;AccountKey=a2V5',
    check: (joined) => readConnectionString(joined).wrong,
  }).optional(),
  'access-tier': choice('of new files', ACCESS_TIERS, {
    example: 'Cool',
    defaultText: 'the account’s',
  }).optional(),
  // With 8 MiB, the largest blob of 50,000 blocks is 390 GiB before blocks grow.
  'part-size': size('of blocks; a smaller file is one request', {
    example: '16MiB',
    min: BLOCK_BYTES_MIN,
    max: BLOCK_BYTES_MAX,
  }).prefault('8MiB'),
  // Memory is blocks at once times block size: 32 MiB by default.
  concurrency: integer('blocks at once', { example: 2, min: 1, max: BLOCKS_AT_ONCE_MAX }).prefault(
    4,
  ),
});

export const schema: ConfigSchema<AzureConfig & { readonly path: string }> = KEYS.superRefine(
  ...rules(
    ...['account-name', 'account-key', 'sas-token', 'sas-token-path', 'endpoint'].map((key) =>
      exclusive('connection-string', key),
    ),
    exclusive('sas-token', 'sas-token-path'),
    checkAccount,
  ),
).transform(toConfig);

function toConfig(keys: z.output<typeof KEYS>): AzureConfig & { readonly path: string } {
  const joined = readConnectionString(keys['connection-string']?.reveal() ?? '');
  const accountName = joined.accountName ?? keys['account-name'] ?? '';
  const url = joined.endpoint ?? keys.endpoint ?? `https://${accountName}.blob.core.windows.net`;
  return {
    container: keys.bucket,
    endpoint: url,
    credentials: toCredentials(accountName, {
      tokenPath: keys['sas-token-path'],
      token: joined.token ?? keys['sas-token']?.reveal(),
      accountKey: joined.accountKey ?? keys['account-key']?.reveal(),
    }),
    blockSizeBytes: keys['part-size'],
    blocksAtOnce: keys.concurrency,
    accessTier: keys['access-tier'],
    path: keys.path,
  };
}

interface GivenCredentials {
  readonly tokenPath: string | undefined;
  readonly token: string | undefined;
  readonly accountKey: string | undefined;
}

function toCredentials(accountName: string, given: GivenCredentials): Credentials {
  const { tokenPath, token, accountKey } = given;
  if (tokenPath !== undefined) return { kind: 'sas-file', path: tokenPath };
  if (token !== undefined) return { kind: 'sas', token: hide(cleanToken(token)) };
  if (accountKey === undefined) return { kind: 'default' };
  return { kind: 'shared-key', accountName, accountKey: hide(accountKey) };
}

/** Portals give a token with a question mark before it. */
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

/** The keys that `abs://account@container/path?key=value` stands for. */
export function configFromURL(url: URL): unknown {
  const { protocol, pathname, username, password, host, search } = url;
  // Each percent sign of the path must encode something.
  if (protocol !== 'abs:' || /%(?![0-9a-f]{2})/i.test(pathname)) {
    throw invalid('must be abs://account@container/path');
  }
  // Not shown, and not taken either: URLs are seen by everybody.
  if (password !== '') throw invalid('holds a password: write it in account-key');
  const path = pathname === '' ? '' : rootOfURLPath(pathname);
  return {
    // An empty part is left out: "bucket is missing" says more than "is empty".
    ...(host !== '' && { bucket: host }),
    ...(username !== '' && { 'account-name': percentDecoded(username) }),
    ...(path !== '' && { path }),
    ...keysOfQuery(search),
  };
}

function problemWithContainer(container: string): string | undefined {
  // Whatever is no name would be read as another part of the URL of requests.
  if (/^[a-z0-9$-]{3,63}$/.test(container)) return undefined;
  return (
    problemWithBucket(container, 'a container') ??
    'must be the name of a container: 3 to 63 of a-z, 0-9 and -'
  );
}

/** Blob names are joined as paths are, and no name may lead out of the container. */
function problemWithRoot(path: string): string | undefined {
  return /^\/*\.\.(\/|$)/.test(posix.normalize(path)) ? 'leads out of the container' : undefined;
}

function problemWithAccount(name: string): string | undefined {
  return /^[a-z0-9-]{3,63}$/.test(name) ? undefined : 'must be the name of an account: a-z, 0-9';
}

function checkAccount(keys: Readonly<Record<string, unknown>>, issue: AddIssue): void {
  if (isGiven(keys, 'account-name') || isGiven(keys, 'connection-string')) return;
  if (!isGiven(keys, 'endpoint')) issue('account-name', 'is missing, or endpoint');
  else if (isSecret(keys['account-key']) && !isGiven(keys, 'sas-token')) {
    issue('account-name', 'is missing beside account-key');
  }
}

function invalid(message: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', message);
}
