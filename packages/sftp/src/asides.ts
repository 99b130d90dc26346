/**
 * Leftovers of interrupted writes. If a server cannot replace a file in one step, the old file `F` is
 * first renamed to `F.sluice-aside`, with the server's time as its atime. Until another file is named
 * F, readers read the aside file under the name F. After a crash, an aside file is renamed back if F
 * has been missing for ten minutes; aside files that are not needed, and temporary files, are removed
 * after a day. `planRepair` is pure; `repair` applies its plan over a channel.
 */

import { join } from 'node:path/posix';

import type { Logger } from '@sluice/core/backend';
import {
  REPLACED_SUFFIX,
  runExclusively,
  isLeftover,
  LEFTOVER_AGE_MS,
  TEMP_SUFFIX,
  temporaryPath,
} from '@sluice/core/backend/folder';

import type { Channel, Entry } from './channel.ts';
import type { Connection } from './connection.ts';
import { removeIfExists } from './errors.ts';

/** A replacement takes seconds. After this time, its writer must have died. */
const MISSING_MS_MAX = 10 * 60 * 1000;

export function asidePath(path: string): string {
  return path + REPLACED_SUFFIX;
}

/** The name of the file before it was renamed. */
function originalOf(name: string): string | undefined {
  return name.endsWith(REPLACED_SUFFIX) ? name.slice(0, -REPLACED_SUFFIX.length) : undefined;
}

/** Adds an entry for each missing file that has an aside file. */
export function withAsides(entries: readonly Entry[]): readonly Entry[] {
  const asides = entries.flatMap((entry) => {
    const name = originalOf(entry.name);
    return name === undefined ? [] : [{ ...entry, name }];
  });
  if (asides.length === 0) return entries;
  const names = new Set(entries.map(({ name }) => name));
  return [...entries, ...asides.filter(({ name }) => !names.has(name))];
}

/** Whether there are leftovers at all. Only then is the server's clock needed. */
export function hasLeftovers(entries: readonly Entry[]): boolean {
  return entries.some(({ name }) => name.endsWith(REPLACED_SUFFIX) || name.endsWith(TEMP_SUFFIX));
}

interface Repair {
  readonly remove: readonly string[];
  readonly moveBack: readonly { readonly from: string; readonly to: string }[];
}

function planRepair(entries: readonly Entry[], nowMs: number): Repair {
  const names = new Set(entries.map(({ name }) => name));
  const isMissing = (name: string): boolean => !names.has(originalOf(name) ?? name);
  // The mtime of a temporary file may already be its transaction's time; its atime is then the upload's.
  const isOld = ({ name, modifiedMs, accessedMs }: Entry): boolean =>
    originalOf(name) === undefined
      ? isLeftover(name, Math.max(modifiedMs, accessedMs), nowMs)
      : !isMissing(name) && nowMs - accessedMs >= LEFTOVER_AGE_MS;
  return {
    remove: entries.filter(isOld).map(({ name }) => name),
    moveBack: entries.flatMap(({ name, accessedMs }) => {
      const to = originalOf(name);
      const isDue = to !== undefined && isMissing(name) && nowMs - accessedMs >= MISSING_MS_MAX;
      return isDue ? [{ from: name, to }] : [];
    }),
  };
}

/** Never throws, so that a listing continues. If the connection is lost, the next request fails. */
export async function repair(
  channel: Channel,
  folder: string,
  entries: readonly Entry[],
  connection: Connection,
  logger: Logger,
): Promise<void> {
  try {
    const nowMs = await serverNow(channel, folder, connection);
    const { remove, moveBack } = planRepair(entries, nowMs);
    for (const name of remove) {
      const path = join(folder, name);
      await removeIfExists(channel, path);
      logger.info('removed a leftover of an interrupted write', { path });
    }
    for (const { from, to } of moveBack) {
      const path = join(folder, to);
      await runExclusively(`${connection.name}\0${path}`, async () => {
        if ((await channel.stat(path)) !== undefined) return; // written meanwhile
        await channel.rename(join(folder, from), path);
        logger.info('renamed a file back after an interrupted write', { path });
      });
    }
  } catch (error) {
    logger.warn('cannot clean up after an interrupted write', { path: folder, error });
  }
}

/** The server's time, which it sets on a new file. */
async function serverNow(
  channel: Channel,
  folder: string,
  connection: Connection,
): Promise<number> {
  if (connection.clockOffsetMs === undefined) {
    const probe = temporaryPath(join(folder, '.sluice-clock'));
    const handle = await channel.open(probe, 'wx', 0o600);
    const [{ modifiedMs }] = await Promise.all([
      channel.fstat(handle),
      channel.close(handle),
      channel.unlink(probe),
    ]);
    connection.clockOffsetMs = modifiedMs - performance.now();
  }
  return Math.round(performance.now() + connection.clockOffsetMs);
}
