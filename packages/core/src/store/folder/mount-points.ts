/**
 * Detects a folder on a disk that is not mounted: the folder or an ancestor of it is a mount point in
 * `/etc/fstab`, and nothing is mounted there. The folder is then the empty mount point.
 *
 *  file                  fields, separated by blanks
 *  /etc/fstab            device, mount point, type, …                     # comments
 *  /proc/self/mountinfo  id, parent, device, root, mount point, …
 *
 * Both escape blanks and backslashes in names, for example as `\040`. A system without these files has no
 * such mount points.
 */

import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';

const FSTAB_FIELD = 1;
const MOUNTINFO_FIELD = 4;

/** The mount point; undefined if there is none, or if something is mounted there. */
export async function findUnmounted(
  folder: string,
  files: { readonly fstab: string; readonly mountinfo: string } = {
    fstab: '/etc/fstab',
    mountinfo: '/proc/self/mountinfo',
  },
): Promise<string | undefined> {
  const points = parsePoints(await readOr(files.fstab, ''), FSTAB_FIELD);
  if (points.size === 0) return undefined;
  const mounted = await readOr(files.mountinfo, undefined);
  if (mounted === undefined) return undefined;
  const written = path.resolve(folder);
  const found = unmountedAbove(written, points, parsePoints(mounted, MOUNTINFO_FIELD));
  if (found !== undefined) return found;
  // The path may contain symbolic links.
  return unmountedAbove(await realOf(written), points, parsePoints(mounted, MOUNTINFO_FIELD));
}

function unmountedAbove(
  folder: string,
  points: ReadonlySet<string>,
  mounted: ReadonlySet<string>,
): string | undefined {
  for (let at = folder; at !== path.dirname(at); at = path.dirname(at)) {
    if (points.has(at) && !mounted.has(at)) return at;
  }
  return undefined;
}

function parsePoints(text: string, field: number): Set<string> {
  const lines = text.split('\n').filter((line) => !line.trimStart().startsWith('#'));
  const points = lines.map((line) => line.trim().split(/\s+/)[field] ?? '');
  return new Set(points.filter((point) => point.startsWith('/')).map(toPath));
}

function toPath(point: string): string {
  const name = point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return path.resolve(name);
}

/** The real path of a folder that may not exist, with the symbolic links of its ancestors resolved. */
async function realOf(folder: string): Promise<string> {
  try {
    return await realpath(folder);
  } catch {
    const parent = path.dirname(folder);
    return parent === folder ? folder : path.join(await realOf(parent), path.basename(folder));
  }
}

async function readOr<Default>(file: string, otherwise: Default): Promise<string | Default> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return otherwise; // missing or unreadable: mount points are unknown
  }
}
