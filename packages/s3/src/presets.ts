/**
 * What providers want otherwise, by the host of the endpoint: one table, each row with its source.
 *
 *  deleteChecksum  what DeleteObjects carries over its body
 *  pathStyle       the bucket in the path, not in the host
 *  partsAtOnce     parts of one upload on their way at once
 *  headers         sent with every request
 */

export interface Preset {
  readonly host: RegExp;
  readonly deleteChecksum: 'crc32' | 'md5' | 'none';
  readonly pathStyle: 'yes' | 'no';
  readonly partsAtOnce: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly source: string;
}

/** Memory is parts at once times part size, for each upload that is under way. */
const PARTS_AT_ONCE = 4;

/** AWS itself. The SDK's CRC32 is what it asks for since 2025; older code sends MD5. */
export const AWS: Preset = {
  host: /(^|\.)amazonaws\.com(\.cn)?$/,
  deleteChecksum: 'crc32',
  pathStyle: 'no',
  partsAtOnce: PARTS_AT_ONCE,
  source: 'AWS S3 API reference, DeleteObjects',
};

const preset = (host: RegExp, source: string, differences: Partial<Preset> = {}): Preset => ({
  host,
  deleteChecksum: 'md5',
  pathStyle: 'yes',
  partsAtOnce: PARTS_AT_ONCE,
  source,
  ...differences,
});

export const PRESETS: readonly Preset[] = [
  AWS,
  preset(
    /\.r2\.cloudflarestorage\.com$/,
    'benbjohnson/litestream#948: two or three parts at once',
    {
      partsAtOnce: 2,
    },
  ),
  preset(
    /(^|\.)(fly\.storage\.tigris\.dev|t3\.storage\.dev)$/,
    'benbjohnson/litestream#905, #907',
    {
      deleteChecksum: 'none',
      pathStyle: 'no',
      headers: { 'x-tigris-consistent': 'true' },
    },
  ),
  preset(/\.backblazeb2\.com$/, 'litestream guide for Backblaze B2'),
  preset(/\.digitaloceanspaces\.com$/, 'benbjohnson/litestream S3 provider table', {
    pathStyle: 'no',
  }),
  preset(/\.scw\.cloud$/, 'benbjohnson/litestream S3 provider table', { pathStyle: 'no' }),
  preset(/\.your-objectstorage\.com$/, 'benbjohnson/litestream#1059: 256 sessions for an IP'),
  preset(/^s3\.filebase\.com$/, 'benbjohnson/litestream S3 provider table'),
  preset(/\.supabase\.co$/, 'benbjohnson/litestream S3 provider table'),
];

/** For any other endpoint: MD5, which the oldest servers ask for and none refuses (OCI, #808). */
const OTHER: Preset = preset(/./, 'benbjohnson/litestream#808');

export function presetFor(endpoint: string | undefined): Preset {
  if (endpoint === undefined) return AWS;
  const { hostname } = new URL(endpoint);
  return PRESETS.find(({ host }) => host.test(hostname)) ?? OTHER;
}
