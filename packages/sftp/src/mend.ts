/** Rule 8, over a channel: what an interrupted write has left is removed, or moved back to its name. */

import { join } from 'node:path/posix';

import type { Logger } from '@sluice/core/backend';
import { runExclusively, temporaryPath } from '@sluice/core/backend/folder';

import { planMending } from './asides.ts';
import type { Channel, Entry } from './channel.ts';
import type { Connection } from './connection.ts';
import { removeIfThere } from './naming.ts';

/** Never fails a listing: if the connection is lost, the next request says so. */
export async function mend(
  channel: Channel,
  folder: string,
  entries: readonly Entry[],
  connection: Connection,
  logger: Logger,
): Promise<void> {
  try {
    const nowMs = await serverNow(channel, folder, connection);
    const { remove, moveBack } = planMending(entries, nowMs);
    for (const name of remove) {
      const path = join(folder, name);
      await removeIfThere(channel, path);
      logger.info('removed what an interrupted write has left', { path });
    }
    for (const { from, to } of moveBack) {
      const path = join(folder, to);
      await runExclusively(`${connection.name}\0${path}`, async () => {
        if ((await channel.stat(path)) !== undefined) return; // written meanwhile
        await channel.rename(join(folder, from), path);
        logger.info('moved a file back to its name', { path });
      });
    }
  } catch (error) {
    logger.warn('cannot mend what an interrupted write has left', { path: folder, error });
  }
}

/** The server's clock: the time that it gives to a new file. */
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
