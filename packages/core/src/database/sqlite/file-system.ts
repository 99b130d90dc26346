/** Finds the file system of a path, for messages. */

import fs from 'node:fs';

interface Mount {
  readonly point: string;
  readonly type: string;
}

/** "the file system fuse.mergerfs mounted at /mnt/pool"; or its type number if mounts cannot be listed. */
export function fileSystemOf(path: string): string {
  const mount = findMount(path, readMounts());
  if (mount !== undefined) return `the file system ${mount.type} mounted at ${mount.point}`;
  return `the file system of type 0x${fs.statfsSync(path).type.toString(16)} at ${path}`;
}

/** The mount of a real path. If two share a mount point, the later one hides the other. */
export function findMount(path: string, mounts: readonly Mount[]): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of mounts) {
    const { point } = mount;
    const isAbove = path === point || path.startsWith(point === '/' ? '/' : `${point}/`);
    if (isAbove && point.length >= (found?.point.length ?? 0)) found = mount;
  }
  return found;
}

/**
 * Parses /proc/self/mountinfo, whose fields are separated by spaces (proc(5)):
 *
 *   id parent major:minor root POINT options [optional fields…] - TYPE source options
 *
 * A space, tab, line feed or backslash in a field is written as \ and three octal digits.
 */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const point = fields[4];
    const type = fields[fields.indexOf('-', 6) + 1];
    if (point === undefined || type === undefined || !fields.includes('-', 6)) return [];
    return [{ point: unescape(point), type: unescape(type) }];
  });
}

function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function readMounts(): Mount[] {
  try {
    return parseMounts(fs.readFileSync('/proc/self/mountinfo', 'utf8'));
  } catch {
    return []; // not Linux, or no /proc: the type number is used
  }
}
