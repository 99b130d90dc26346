/** The control socket of the whole process. Replication does not depend on it. */

import fs from 'node:fs';
import path from 'node:path';
import { callControl, ControlServer, type ControlCommands } from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import { isNobody } from '../controlling/process.ts';
import { makeProcessFolder } from '../controlling/process-folder.ts';

export interface ProcessSocket {
  /** Its folder. */
  readonly folder: string;
  close(): Promise<void>;
}

/** A process that listens answers at once. */
const PROBE_MS = 1_000;

/** Listens in the first folder where it may. Logs why if there is none, and returns undefined. */
export async function openProcessSocket(
  folders: readonly string[],
  commands: ControlCommands,
  logger: Logger,
): Promise<ProcessSocket | undefined> {
  const problems: string[] = [];
  for (const folder of folders) {
    try {
      makeProcessFolder(folder);
      if (await isTaken(folder)) throw new Error(`another replicator listens in ${folder}`);
      const server = await ControlServer.listen(folder, commands);
      return {
        folder,
        close: async () => {
          await server.close();
          removeEmpty(path.join(folder, 'control'));
          removeEmpty(folder);
        },
      };
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  if (folders.length > 0) {
    logger.warn(
      `"sluice list", "reload", "start", "stop" and "register" cannot be used: ${problems.join('; ')}; ` +
        'make /run/sluice for the user of the replicator (RuntimeDirectory=sluice in systemd), or set XDG_RUNTIME_DIR',
    );
  }
  return undefined;
}

/** A socket that a killed process has left does not count. */
async function isTaken(folder: string): Promise<boolean> {
  try {
    const probe = { database: folder, metaPath: folder, command: 'info', timeoutMs: PROBE_MS };
    await callControl(probe);
    return true;
  } catch (error) {
    return !isNobody(error);
  }
}

function removeEmpty(folder: string): void {
  try {
    fs.rmdirSync(folder);
  } catch {
    // Something else is in it, or it is gone.
  }
}
