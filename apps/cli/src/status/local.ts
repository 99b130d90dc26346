/** The local side of a database: the state file of its staging folder, and what lies beside it. */

import fs from 'node:fs/promises';
import path from 'node:path';
import {
  ageOfWriting,
  areSameMarks,
  completeOptions,
  readFileMarks,
  stateOfWriter,
  systemClock,
  type DatabaseOptions,
  type DatabaseStatus,
  type FileMarks,
  type WriterState,
} from '@sluice/core';
import { messageOf, ReplicationError } from '@sluice/core/backend';

export interface Local {
  readonly path: string;
  /** What the replicator wrote last; undefined where none ever did. */
  readonly state: DatabaseStatus | undefined;
  /** Who wrote it, now; undefined where nobody did. */
  readonly writer: WriterState | undefined;
  /** How old the state is. */
  readonly ageMs: number;
  readonly database: 'exists' | 'is missing' | 'has no folder';
  readonly walBytes: number;
  /** Whether it was written to since the replicator ended. */
  readonly sinceEnd: 'unchanged' | 'changed';
  readonly maxLagMs: number;
}

export async function readLocal(
  options: Partial<DatabaseOptions> & { readonly path: string },
): Promise<Local> {
  const { path: file, metaPath, maxLagMs } = completeOptions(options);
  const [marks, state] = await Promise.all([
    readMarks(file),
    readState(path.join(metaPath, 'status.json')),
  ]);
  const ageMs = state === undefined ? 0 : ageOfWriting(state.writer, state.at, systemClock);
  return {
    path: file,
    state,
    writer: state === undefined ? undefined : writerOf(state, ageMs),
    ageMs,
    database: marks.database === undefined ? await whyMissing(file) : 'exists',
    walBytes: marks.wal?.sizeBytes ?? 0,
    sinceEnd:
      state?.marks !== undefined && areSameMarks(state.marks, marks) ? 'unchanged' : 'changed',
    maxLagMs,
  };
}

/** DATABASE_DENIED, DATABASE_INVALID where it cannot be looked at. */
async function readMarks(file: string): Promise<FileMarks> {
  try {
    return await readFileMarks(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isDenied = code === 'EACCES' || code === 'EPERM';
    throw new ReplicationError(
      isDenied ? 'DATABASE_DENIED' : 'DATABASE_INVALID',
      `look at ${file}: ${messageOf(error)}; ` +
        (isDenied ? 'run this as the user of the application' : 'check the path'),
      { cause: error },
    );
  }
}

async function whyMissing(file: string): Promise<'is missing' | 'has no folder'> {
  try {
    await fs.access(path.dirname(file));
    return 'is missing';
  } catch {
    return 'has no folder';
  }
}

function writerOf(state: DatabaseStatus, ageMs: number): WriterState {
  return state.state === 'ended' ? 'ended' : stateOfWriter(state.writer, ageMs);
}

/** STAGING_FAILED where it is there and cannot be read. */
async function readState(file: string): Promise<DatabaseStatus | undefined> {
  let text: string;
  try {
    text = await fs.readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const message = `read ${file}: ${messageOf(error)}; run this as the user of the replicator`;
    throw new ReplicationError('STAGING_FAILED', message, { cause: error });
  }
  return parseState(text);
}

/** undefined for a file that a power loss has torn, or that an earlier version wrote: nothing is known then. */
function parseState(text: string): DatabaseStatus | undefined {
  try {
    const state = JSON.parse(text) as Partial<DatabaseStatus> | null;
    return state?.writer === undefined || state.facts === undefined
      ? undefined
      : (state as DatabaseStatus);
  } catch {
    return undefined;
  }
}
