/** Reads the local state of a database: the state file in its staging folder, or the answer of its replicator, and its files. */

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
import { type Asked, askReplicator, toState } from './ask.ts';

export interface Local {
  readonly path: string;
  /** The last state written by a replicator, or its answer; undefined if there is none. */
  readonly state: DatabaseStatus | undefined;
  /** Whether that replicator still runs; undefined if there is no state. */
  readonly writer: WriterState | undefined;
  /** Age of the state. */
  readonly ageMs: number;
  readonly database: 'exists' | 'is missing' | 'has no folder';
  readonly walBytes: number;
  /** Whether the database was written to after the replicator ended. */
  readonly sinceEnd: 'unchanged' | 'changed';
  readonly maxLagMs: number;
  /** Whether the replicator was asked, because its state file is old or missing, and what came of it. */
  readonly asked: Asked['kind'] | 'not asked';
}

/** A state file younger than this many heartbeats is current. */
const HEARTBEATS_FRESH = 2;

/** `before`: an earlier result. A replicator that was silent then is not asked again. */
export async function readLocal(
  options: Partial<DatabaseOptions> & { readonly path: string },
  signal: AbortSignal,
  before?: Local,
): Promise<Local> {
  const complete = completeOptions(options);
  const { path: file, metaPath } = complete;
  const [marks, written] = await Promise.all([
    readMarks(file),
    readState(path.join(metaPath, 'status.json')),
  ]);
  const found = await toLocal(complete, marks, written.state, written.touchedMs);
  if (isFresh(found)) return found;
  if (before?.asked === 'silent') return { ...found, asked: 'silent' };
  const asked = await askReplicator(complete, signal);
  if (asked.kind !== 'answered') return { ...found, asked: asked.kind };
  const { state } = asked;
  return {
    ...(await toLocal(complete, marks, state)),
    writer: 'runs',
    ageMs: 0,
    asked: 'answered',
  };
}

/** Whether the state is current. */
export function isFresh({ state, writer, ageMs, asked }: Local): boolean {
  if (asked === 'answered') return true;
  return (
    state !== undefined && writer === 'runs' && ageMs <= HEARTBEATS_FRESH * state.writer.heartbeatMs
  );
}

async function toLocal(
  { path: file, maxLagMs }: DatabaseOptions,
  marks: FileMarks,
  state: DatabaseStatus | undefined,
  touchedMs?: number,
): Promise<Local> {
  const ageMs =
    state === undefined ? 0 : ageOfWriting(state.writer, state.at, systemClock, touchedMs);
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
    asked: 'not asked',
  };
}

/** DATABASE_DENIED or DATABASE_INVALID if the file cannot be read. */
async function readMarks(file: string): Promise<FileMarks> {
  try {
    return await readFileMarks(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isDenied = code === 'EACCES' || code === 'EPERM';
    throw new ReplicationError(
      isDenied ? 'DATABASE_DENIED' : 'DATABASE_INVALID',
      `stat ${file}: ${messageOf(error)}; ` +
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

interface Written {
  readonly state: DatabaseStatus | undefined;
  /** Time of the file. */
  readonly touchedMs?: number | undefined;
}

/** STAGING_FAILED if the file exists and cannot be read. */
async function readState(file: string): Promise<Written> {
  try {
    const { mtimeMs: touchedMs } = await fs.stat(file); // before the text, which may be replaced
    return { state: parseState(await fs.readFile(file, 'utf8')), touchedMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { state: undefined };
    const message = `read ${file}: ${messageOf(error)}; run this as the user of the replicator`;
    throw new ReplicationError('STAGING_FAILED', message, { cause: error });
  }
}

/** undefined for a file that was torn by a power loss or written by an older version. */
function parseState(text: string): DatabaseStatus | undefined {
  try {
    return toState(JSON.parse(text));
  } catch {
    return undefined;
  }
}
