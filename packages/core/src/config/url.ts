/** URLs that say where a destination is. */

import { ReplicationError } from '../error.ts';

/** CONFIG_INVALID for what is no URL. It is not shown: it may hold a password. */
export function parseURL(text: string): URL {
  // A URL loses them without a word, and then is another one.
  if (/\p{Cc}/u.test(text) || text !== text.trim()) {
    throw new ReplicationError('CONFIG_INVALID', 'holds a line break, or blanks around it');
  }
  const escaped = escapeARN(text);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(escaped) && URL.canParse(escaped)) return new URL(escaped);
  throw new ReplicationError('CONFIG_INVALID', 'is not a URL such as s3://bucket/path');
}

/** In the place of a host, the colons of an ARN are no ports. `fromURL` gets them as %3A. */
function escapeARN(text: string): string {
  return text.replace(/(?<=^[a-z0-9+.-]+:\/\/)arn:[^/?#]*/i, (arn) => arn.replaceAll(':', '%3A'));
}
