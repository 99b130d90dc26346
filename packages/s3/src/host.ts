/** What the host of an s3:// URL says: the bucket, and where it has more, region and endpoint. */

export interface HostParts {
  readonly bucket?: string | undefined;
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly 'force-path-style'?: boolean | undefined;
}

/** Forms that Litestream 0.5 knows (s3.ParseHost), in its order. */
export function hostOf(url: URL): HostParts {
  const { host, hostname } = url;
  if (url.port !== '' && !host.includes('.com')) {
    const dot = hostname.indexOf('.');
    if (dot < 0) return {}; // host:port without a bucket: "bucket is missing" follows
    const endpoint = `http://${host.slice(dot + 1)}`;
    return { bucket: hostname.slice(0, dot), endpoint, 'force-path-style': true };
  }
  for (const { form, parts } of FORMS) {
    const match = form.exec(hostname);
    if (match !== null) return parts(match[1] ?? '', match[2] ?? '');
  }
  return { bucket: hostname };
}

interface Form {
  readonly form: RegExp;
  readonly parts: (bucket: string, region: string) => HostParts;
}

const FORMS: readonly Form[] = [
  { form: /^(.+)\.s3\.amazonaws\.com$/, parts: (bucket) => ({ bucket }) },
  {
    form: /^(.+)\.s3\.([a-z0-9-]+)\.amazonaws\.com$/,
    parts: (bucket, region) => ({ bucket, region }),
  },
  {
    form: /^(.+)\.([a-z0-9-]+)\.digitaloceanspaces\.com$/,
    parts: (bucket, region) => ({
      bucket,
      region,
      endpoint: `https://${region}.digitaloceanspaces.com`,
      'force-path-style': false,
    }),
  },
  {
    form: /^(.+)\.s3\.([a-z0-9-]+)\.backblazeb2\.com$/,
    parts: (bucket, region) => ({
      bucket,
      region,
      endpoint: `https://s3.${region}.backblazeb2.com`,
      'force-path-style': true,
    }),
  },
  {
    form: /^(.+)\.s3\.filebase\.com$/,
    parts: (bucket) => ({ bucket, endpoint: 'https://s3.filebase.com', 'force-path-style': true }),
  },
  {
    form: /^(.+)\.s3\.([a-z0-9-]+)\.scw\.cloud$/,
    parts: (bucket, region) => ({
      bucket,
      region,
      endpoint: `https://s3.${region}.scw.cloud`,
      'force-path-style': false,
    }),
  },
];
