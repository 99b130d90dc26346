/** URLs in a configuration: one that says where a replica is, and those of servers. */

/**
 * What the key `url` says, where keys of their own do not say otherwise. `read` gives the keys that
 * a URL stands for, or undefined for one that is not of this kind: `parse` then has an issue with it.
 */
export function withKeysOfURL(
  input: unknown,
  read: (url: string) => Readonly<Record<string, unknown>> | undefined,
): unknown {
  if (typeof input !== 'object' || input === null || !('url' in input)) return input;
  const { url } = input;
  const said = typeof url === 'string' ? read(url) : undefined;
  return said === undefined ? input : { ...said, ...input };
}

/**
 * Where a server is: http(s)://host, perhaps with a path. Undefined for anything else, and for what
 * may hold a secret (a password, a query), which an issue must not show.
 */
export function parseEndpoint(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return undefined;
  return url.search + url.hash + url.username + url.password === '' ? url : undefined;
}
