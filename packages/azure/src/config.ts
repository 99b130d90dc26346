/**
 * The configuration of a replica in a container: all keys that Litestream 0.3 and 0.5 have for abs,
 * and some of ours, by YAML or in the query of a URL: abs://account@container/path?key=value.
 *
 *  key                standard
 *  bucket             must be given: the container
 *  path               none: the root of the container
 *  url                instead of the two and account-name; other keys win over it
 *  account-name       that of the connection string or of the endpoint's host
 *  endpoint           https://<account-name>.blob.core.windows.net
 *  account-key        none; base64
 *  sas-token          none; wins over account-key, as in Litestream
 *  sas-token-path     none; a file that holds it, read for each request (ours)
 *  connection-string  none; account, key or token, and endpoint in one (ours)
 *  part-size          8 MiB; a file up to this size is one request (ours)
 *  concurrency        4; blocks at once (ours)
 *  access-tier        the account's (ours; Litestream has Hot)
 *
 * Without any key or token: DefaultAzureCredential. `type` and `name` are read by whoever chose
 * this backend.
 */

import {
  ConfigReader,
  keysOfQuery,
  parseEndpoint,
  rootOfURLPath,
  secret,
  whatIsWrongWithBucket,
  whatIsWrongWithPath,
  withKeysOfURL,
  type ParsedConfig,
  type Secret,
  percentDecoded,
} from '@sluice/core/backend';
import { posix } from 'node:path';

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
/** With it, the largest blob of 50,000 blocks is 390 GiB before blocks grow. */
const BLOCK_BYTES_DEFAULT = 8 * MIB;
/** Smaller ones are more requests, and no faster. Azure itself has no least size. */
const BLOCK_BYTES_MIN = MIB;
/** A block lies in memory whole. Azure takes 4,000 MiB. */
const BLOCK_BYTES_MAX = 512 * MIB;
/** Memory is blocks at once times block size: 32 MiB by default. */
const BLOCKS_AT_ONCE_DEFAULT = 4;
/** More is more memory, and the destination has no more sockets. */
const BLOCKS_AT_ONCE_MAX = 16;

/** CONFIG_INVALID with all issues. */
export function parseConfig(input: unknown): ParsedConfig<AzureConfig> {
  const reader = new ConfigReader('abs', withKeysOfURL(input, keysOfURL));
  reader.ignore('name');
  reader.oneOf('type', ['abs']);
  const url = reader.string('url');
  const wrong = url && whatIsWrong(url);
  if (wrong !== undefined) reader.issue('url', wrong);
  const config: AzureConfig = {
    container: readContainer(reader),
    ...readAccount(reader),
    blockSizeBytes:
      reader.sizeBytes('part-size', { min: BLOCK_BYTES_MIN, max: BLOCK_BYTES_MAX }) ??
      BLOCK_BYTES_DEFAULT,
    blocksAtOnce:
      reader.integer('concurrency', { min: 1, max: BLOCKS_AT_ONCE_MAX }) ?? BLOCKS_AT_ONCE_DEFAULT,
    accessTier: reader.oneOf('access-tier', ACCESS_TIERS),
  };
  const path = readPath(reader);
  reader.finish();
  return { config, path };
}

/** The input that YAML would give. A URL that is not right becomes an issue of `parseConfig`. */
export function configFromURL({ href }: URL): unknown {
  const isRight = whatIsWrong(href) === undefined;
  return isRight ? { type: 'abs', ...keysOfURL(href) } : { type: 'abs', url: href };
}

function keysOfURL(text: string): Record<string, unknown> | undefined {
  const url = readURL(text);
  if (url === undefined) return undefined;
  const path = url.pathname === '' ? '' : rootOfURLPath(url.pathname);
  return {
    bucket: url.host,
    // Nothing is not empty: a key that is there must have a value.
    ...(url.username !== '' && { 'account-name': percentDecoded(url.username) }),
    ...(path !== '' && { path }),
    ...keysOfQuery(url.search),
  };
}

/** Undefined unless it is ours, and each percent sign of its path encodes something. */
function readURL(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.href.startsWith('abs://') !== true) return undefined;
  return /%(?![0-9a-f]{2})/i.test(url.pathname) ? undefined : url;
}

function whatIsWrong(text: string): string | undefined {
  const url = readURL(text);
  if (url === undefined) return 'must be abs://account@container/path';
  // Not shown, and not taken either: URLs are seen by everybody.
  return url.password === '' ? undefined : 'holds a password: write it in account-key';
}

function readContainer(reader: ConfigReader): string {
  const container = reader.requiredString('bucket');
  // Whatever is no name would be read as another part of the URL of requests.
  if (container === '' || /^[a-z0-9$-]{3,63}$/.test(container)) return container;
  const wrong = whatIsWrongWithBucket(container, 'a container');
  reader.issue('bucket', wrong ?? 'must be the name of a container: 3 to 63 of a-z, 0-9 and -');
  return container;
}

/** Blob names are joined as paths are, and no name may lead out of the container. */
function readPath(reader: ConfigReader): string {
  const path = reader.string('path') ?? '';
  if (/^\/*\.\.(\/|$)/.test(posix.normalize(path))) {
    reader.issue('path', 'leads out of the container');
    return path;
  }
  const wrong = whatIsWrongWithPath(path);
  if (wrong !== undefined) reader.issue('path', wrong);
  return path;
}

function readAccount(reader: ConfigReader): Pick<AzureConfig, 'endpoint' | 'credentials'> {
  for (const key of ['account-name', 'account-key', 'sas-token', 'endpoint']) {
    reader.exclusive('connection-string', key);
  }
  reader.exclusive('sas-token', 'sas-token-path');
  reader.exclusive('connection-string', 'sas-token-path');
  const joined = readConnectionString(reader);
  const accountName = joined.accountName ?? reader.string('account-name');
  const endpoint = readEndpoint(reader, joined.endpoint, accountName);
  const accountKey = joined.accountKey ?? reader.secret('account-key');
  const token = joined.token ?? reader.secret('sas-token');
  const path = reader.string('sas-token-path');
  if (path !== undefined) return { endpoint, credentials: { kind: 'sas-file', path } };
  if (token !== undefined) {
    return { endpoint, credentials: { kind: 'sas', token: readToken(reader, token) } };
  }
  if (accountKey === undefined) return { endpoint, credentials: { kind: 'default' } };
  if (accountName === undefined) reader.issue('account-name', 'is missing beside account-key');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(accountKey.reveal())) {
    reader.issue('account-key', 'must be base64');
  }
  const credentials = { kind: 'shared-key', accountName: accountName ?? '', accountKey } as const;
  return { endpoint, credentials };
}

function readToken(reader: ConfigReader, token: Secret): Secret {
  const text = cleanToken(token.reveal());
  if (!/(^|&)sig=./.test(text)) reader.issue('sas-token', 'has no signature (sig=…)');
  return secret(text);
}

/** Portals give a token with a question mark before it. */
export function cleanToken(text: string): string {
  return text.trim().replace(/^\?/, '');
}

function readEndpoint(
  reader: ConfigReader,
  joined: string | undefined,
  accountName: string | undefined,
): string {
  const text = joined ?? reader.string('endpoint');
  const key = joined === undefined ? 'endpoint' : 'connection-string';
  if (text === undefined) {
    if (accountName === undefined) {
      reader.issue('account-name', 'is missing, or endpoint');
    } else if (!/^[a-z0-9-]{3,63}$/.test(accountName)) {
      reader.issue('account-name', 'must be the name of an account: a-z, 0-9');
    }
    return `https://${accountName}.blob.core.windows.net`;
  }
  const url = parseEndpoint(text);
  if (url !== undefined) return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
  // Not shown: somebody may have put a token into it.
  reader.issue(key, 'must have an endpoint that is http(s)://host, without password and query');
  return '';
}

interface ConnectionString {
  readonly accountName?: string | undefined;
  readonly accountKey?: Secret | undefined;
  readonly token?: Secret | undefined;
  readonly endpoint?: string | undefined;
}

/** Name=value pairs between semicolons, as the portal gives them. */
function readConnectionString(reader: ConfigReader): ConnectionString {
  const text = reader.secret('connection-string')?.reveal();
  if (text === undefined) return {};
  const pairs = text.split(';').map((pair) => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at).trim().toLowerCase(), pair.slice(at + 1).trim()] as const;
  });
  const values = new Map(pairs.filter(([, value]) => value !== ''));
  const accountName = values.get('accountname');
  const [key, token] = [values.get('accountkey'), values.get('sharedaccesssignature')];
  const endpoint = values.get('blobendpoint') ?? endpointOf(values, accountName);
  if (endpoint === undefined) {
    reader.issue('connection-string', 'has neither AccountName nor BlobEndpoint');
  }
  if (key === undefined && token === undefined) {
    reader.issue('connection-string', 'has neither AccountKey nor SharedAccessSignature');
  }
  return {
    accountName,
    accountKey: key === undefined ? undefined : secret(key),
    token: token === undefined ? undefined : secret(token),
    // A string that is wrong already is not complained of twice.
    endpoint: endpoint ?? 'https://unknown',
  };
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
