/**
 * Whether a folder lies on a disk that is not there: an ancestor of it, or itself, is a mount point of
 * `/etc/fstab`, and nothing is mounted there now. Then what is seen below is the empty mount point.
 *
 *  file                  fields, separated by blanks
 *  /etc/fstab            device, mount point, type, …                     # comments
 *  /proc/self/mountinfo  id, parent, device, root, mount point, …
 *
 * Both write blanks and backslashes in names as `\040` and the like. A system without either file has no
 * such mount points.
 */

import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';

const FSTAB_FIELD = 1;
const MOUNTINFO_FIELD = 4;

/** The mount point, or undefined where there is none, or something is mounted there. */
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
  // By a symbolic link it may lie elsewhere than its name says.
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

/** Of what is not there, with the links of those above it followed. */
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
    return otherwise; // there is none, or it is nobody's to read: then nothing is known of mount points
  }
}
