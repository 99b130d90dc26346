/**
 * Differences between providers, by the host of the endpoint. Each row has its source.
 *
 *  deleteChecksum  checksum header of DeleteObjects
 *  partsAtOnce     concurrent parts, for all uploads of a destination together
 *  partsMax        parts of one upload
 *  hasConditions   whether writes with If-None-Match are known to work
 *  headers         sent with every request
 *
 * For all providers, because most need it and AWS accepts it: checksums of requests and responses
 * only when required (so never an aws-chunked trailer), Content-Length, a signed payload, and the
 * bucket in the path if an endpoint is given (config.ts).
 */

export type DeleteChecksum = 'crc32' | 'md5' | 'none';

export interface Preset {
  readonly name: string;
  readonly host: RegExp;
  readonly deleteChecksum: DeleteChecksum;
  readonly partsAtOnce: number;
  readonly partsMax: number;
  readonly hasConditions: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly source: string;
}

/** Memory is this times the part size: 32 MiB by default. Litestream uses 5 parts of 5 MiB. */
const PARTS_AT_ONCE = 4;
/** The limit of AWS. */
const PARTS_MAX = 10_000;

/** MD5 is the oldest checksum of S3: old servers require it, and hardly any refuses it. */
const DEFAULTS: Omit<Preset, 'name' | 'host' | 'source'> = {
  deleteChecksum: 'md5',
  partsAtOnce: PARTS_AT_ONCE,
  partsMax: PARTS_MAX,
  hasConditions: true,
  headers: {},
};

/** The SDK sends CRC-32 to AWS even if told to send checksums only when required. */
export const AWS: Preset = {
  ...DEFAULTS,
  name: 'AWS',
  host: /(^|\.)amazonaws\.com(\.cn)?$/,
  deleteChecksum: 'crc32',
  source: 'Amazon S3 API reference, DeleteObjects: Content-MD5 or x-amz-checksum-*',
};

export const OTHER: Preset = {
  ...DEFAULTS,
  name: 'another provider',
  host: /./,
  source: 'benbjohnson/litestream#808: the strictest servers require Content-MD5 on DeleteObjects',
};

export const PRESETS: readonly Preset[] = [
  AWS,
  {
    ...DEFAULTS,
    name: 'Cloudflare R2',
    host: /\.r2\.cloudflarestorage\.com$/,
    partsAtOnce: 2,
    source: 'cloudflare/cloudflare-docs#5236, benbjohnson/litestream#948: two or three at once',
  },
  {
    ...DEFAULTS,
    name: 'Tigris',
    host: /^(fly\.storage\.tigris\.dev|t3\.storage\.dev)$/,
    deleteChecksum: 'none',
    headers: { 'x-tigris-consistent': 'true' },
    source: 'benbjohnson/litestream#905 (stale reads across regions), #907 (no MD5)',
  },
  {
    ...DEFAULTS,
    name: 'Backblaze B2',
    host: /\.backblazeb2\.com$/,
    hasConditions: false,
    source: 'obsidian-s3-sync-and-backup#78: conditional writes answered 501',
  },
  {
    ...DEFAULTS,
    name: 'Scaleway',
    host: /\.scw\.cloud$/,
    partsMax: 1_000,
    source: 'LINBIT/linstor-server#461: at most 1,000 parts',
  },
  {
    ...DEFAULTS,
    name: 'DigitalOcean Spaces',
    host: /\.digitaloceanspaces\.com$/,
    source:
      'benbjohnson/litestream, s3/replica_client.go: signed payloads; statamic/cms#2644: 503 SlowDown',
  },
  {
    ...DEFAULTS,
    name: 'Hetzner',
    host: /\.your-objectstorage\.com$/,
    source:
      'benbjohnson/litestream#1059: unsigned payloads are refused; zhaofengli/attic#260: 256 sessions',
  },
  {
    ...DEFAULTS,
    name: 'Filebase',
    host: /^s3\.filebase\.com$/,
    source: 'benbjohnson/litestream, s3/replica_client.go: signed payloads, the bucket in the path',
  },
  {
    ...DEFAULTS,
    name: 'Supabase',
    host: /\.supabase\.co$/,
    source: 'benbjohnson/litestream, s3/replica_client.go: signed payloads, the bucket in the path',
  },
  {
    ...DEFAULTS,
    name: 'Oracle Cloud',
    host: /\.oraclecloud\.com$/,
    source: 'benbjohnson/litestream#808: Content-MD5 on DeleteObjects',
  },
  {
    ...DEFAULTS,
    name: 'Google Cloud Storage, XML',
    host: /(^|\.)storage(\.[\w.-]+)?\.googleapis\.com$/,
    hasConditions: false,
    source:
      'earth-mover/icechunk#533: If-Match is for reads only; writes take conditions on generations',
  },
  {
    ...DEFAULTS,
    name: 'Alibaba OSS',
    host: /\.aliyuncs\.com$/,
    hasConditions: false,
    source: 'tobi/walgit#67: If-Match and If-None-Match answered 501',
  },
];

export function presetFor(endpoint: string | undefined): Preset {
  if (endpoint === undefined) return AWS;
  const { hostname } = new URL(endpoint);
  return PRESETS.find(({ host }) => host.test(hostname)) ?? OTHER;
}
