/**
 * Patterns of file names, as in Go's filepath.Match: `*` is any text, `?` one character, `[a-z]` and `[^a-z]` one of a
 * set, and a backslash makes the next character plain. Pure.
 */

/** undefined if it is a pattern. */
export function problemWithPattern(pattern: string): string | undefined {
  if (pattern.includes('/')) {
    return `${pattern} has a slash: it is compared with the name of a file, not its path; use recursive for folders below`;
  }
  return toExpression(pattern) === undefined
    ? `${pattern} is not a pattern: a [ has no ], or a backslash is at its end`
    : undefined;
}

export function matchesPattern(name: string, pattern: string): boolean {
  return toExpression(pattern)?.test(name) === true;
}

function toExpression(pattern: string): RegExp | undefined {
  const parts: string[] = [];
  let rest = pattern;
  while (rest !== '') {
    const [all, set, escaped] = /^(?:\[\^?((?:\\.|[^\]\\])+)\]|\\(.)|[^[\\])/su.exec(rest) ?? [];
    if (all === undefined) return undefined;
    if (all === '*') parts.push('.*');
    else if (all === '?') parts.push('.');
    else if (set !== undefined) parts.push(toSet(set, all.startsWith('[^')));
    else parts.push(plain(escaped ?? all));
    rest = rest.slice(all.length);
  }
  try {
    return new RegExp(`^${parts.join('')}$`, 'su');
  } catch {
    return undefined; // a range that ends before its start
  }
}

/** Only - has a meaning in it. */
function toSet(set: string, isNegated: boolean): string {
  const characters = [...set.matchAll(/\\(.)|(-)|(.)/gsu)].map(([, escaped, range, other]) => {
    return range ?? plain(escaped ?? other ?? '');
  });
  return `[${isNegated ? '^' : ''}${characters.join('')}]`;
}

function plain(character: string): string {
  return /[\w\s]/u.test(character) ? character : `\\u{${character.codePointAt(0)?.toString(16)}}`;
}
