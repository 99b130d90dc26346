/** A connection string: name=value pairs between semicolons, as the portal gives them. */

export interface ConnectionString {
  readonly accountName?: string | undefined;
  readonly accountKey?: string | undefined;
  readonly token?: string | undefined;
  /** Of the account, without a slash at its end. */
  readonly endpoint?: string | undefined;
  /** What is wrong with it, without its values; undefined where nothing is. */
  readonly wrong?: string | undefined;
}

export function readConnectionString(text: string): ConnectionString {
  if (text === '') return {};
  const pairs = text.split(';').map((pair) => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at).trim().toLowerCase(), pair.slice(at + 1).trim()] as const;
  });
  const values = new Map(pairs.filter(([, value]) => value !== ''));
  const accountName = values.get('accountname');
  const written = values.get('blobendpoint') ?? endpointOf(values, accountName);
  const endpoint = written === undefined ? undefined : parseEndpoint(written);
  const [accountKey, token] = [values.get('accountkey'), values.get('sharedaccesssignature')];
  const wrong = [
    ...(written === undefined ? ['has neither AccountName nor BlobEndpoint'] : []),
    ...(written !== undefined && endpoint === undefined
      ? ['must have an endpoint that is http(s)://host, without password and query']
      : []),
    ...(accountKey === undefined && token === undefined
      ? ['has neither AccountKey nor SharedAccessSignature']
      : []),
    ...(written !== undefined &&
    token === undefined &&
    accountKey !== undefined &&
    accountName === undefined
      ? ['has an AccountKey and no AccountName']
      : []),
  ];
  return {
    accountName,
    accountKey,
    token,
    endpoint,
    wrong: wrong.length === 0 ? undefined : wrong.join(', and '),
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

function parseEndpoint(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return undefined;
  if (url.search + url.hash + url.username + url.password !== '') return undefined;
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}
