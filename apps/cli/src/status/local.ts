/** The local side of a database: the state file of its staging folder, and what lies beside it. */

import fs from 'node:fs/promises';
import path from 'node:path';
import { completeOptions, type DatabaseOptions, type DatabaseStatus } from '@sluice/core';
import { messageOf, ReplicationError } from '@sluice/core/backend';

export interface Local {
  readonly path: string;
  /** What the replicator wrote last; undefined where none ever did. */
  readonly state: DatabaseStatus | undefined;
  readonly replicator: 'runs' | 'does not run';
  readonly database: 'exists' | 'is missing';
  readonly walBytes: number;
  /** When database or WAL were written to last. */
  readonly changedAt: Date | undefined;
}

export async function readLocal(
  options: Partial<DatabaseOptions> & { readonly path: string },
): Promise<Local> {
  const { path: file, metaPath } = completeOptions(options);
  const [database, wal, state] = await Promise.all([
    statOrNone(file),
    statOrNone(`${file}-wal`),
    readState(path.join(metaPath, 'status.json')),
  ]);
  const times = [database, wal].flatMap((stat) => (stat === undefined ? [] : [stat.mtimeMs]));
  return {
    path: file,
    state,
    replicator: state !== undefined && isAlive(state.pid) ? 'runs' : 'does not run',
    database: database === undefined ? 'is missing' : 'exists',
    walBytes: wal?.size ?? 0,
    changedAt: times.length === 0 ? undefined : new Date(Math.max(...times)),
  };
}

async function statOrNone(file: string): Promise<{ size: number; mtimeMs: number } | undefined> {
  try {
    return await fs.stat(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    const isDenied = code === 'EACCES' || code === 'EPERM';
    throw new ReplicationError(
      isDenied ? 'DATABASE_DENIED' : 'DATABASE_INVALID',
      `look at ${file}: ${messageOf(error)}; ` +
        (isDenied ? 'run this as the user of the application' : 'check the path'),
      { cause: error },
    );
  }
}

/** STAGING_FAILED where it is there and cannot be read. */
async function readState(file: string): Promise<DatabaseStatus | undefined> {
  try {
    return JSON.parse(await fs.readFile(file, 'utf8')) as DatabaseStatus;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const message = `read ${file}: ${messageOf(error)}; run this as the user of the replicator`;
    throw new ReplicationError('STAGING_FAILED', message, { cause: error });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // it is there, and somebody else's
  }
}
