/** URLs of destinations. */

import { ReplicationError } from '../error.ts';

/** Throws CONFIG_INVALID if it is not a URL. The error does not show it: it may contain a password. */
export function parseURL(text: string): URL {
  // The URL class removes these characters silently, which changes the URL.
  if (/\p{Cc}/u.test(text) || text !== text.trim()) {
    throw new ReplicationError('CONFIG_INVALID', 'contains a line break, or blanks around it');
  }
  const escaped = escapeARN(text);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(escaped) && URL.canParse(escaped)) return new URL(escaped);
  throw new ReplicationError('CONFIG_INVALID', 'is not a URL such as s3://bucket/path');
}

/** If the host is an ARN, its colons do not precede a port. `fromURL` receives them as %3A. */
function escapeARN(text: string): string {
  return text.replace(/(?<=^[a-z0-9+.-]+:\/\/)arn:[^/?#]*/i, (arn) => arn.replaceAll(':', '%3A'));
}
