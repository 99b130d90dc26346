/** Names of buckets, and common mistakes. */

/**
 * The problem with the name of a bucket, phrased to follow the name of its key; undefined if there is none.
 * `what` is "a bucket" or "a container". A provider may refuse more names.
 */
export function problemWithBucket(bucket: string, what: string): string | undefined {
  const [, scheme, rest = bucket] = /^([a-z][a-z0-9+.-]*:\/\/)(.*)$/i.exec(bucket) ?? [];
  const [name = '', ...path] = rest.split(/[/\\]/);
  const below = path.filter((part) => part !== '').join('/');
  const meant = [
    ...(name === '' ? [] : [`bucket: ${name}`]),
    ...(below === '' ? [] : [`path: ${below}`]),
  ].join(', ');
  const write = meant === '' ? '' : `: write ${meant}`;
  if (scheme !== undefined) return `is a URL (${scheme}), not the name of ${what}${write}`;
  if (name !== bucket) return `is a name with a path, not the name of ${what} alone${write}`;
  return /[\s?#]/.test(bucket) ? `must be the name of ${what}, without blanks, ? and #` : undefined;
}
