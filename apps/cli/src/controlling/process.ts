/** Calls to the replicator as a whole, through its own socket. */

import fs from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { callControl, type InfoAnswer, isError } from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import type { Arguments } from '../args.ts';
import { configPathOf } from '../config/load.ts';
import { toDatabasePath } from '../config/schema.ts';
import { interruptible } from '../interrupt.ts';
import type { Shell } from '../shell.ts';
import { askAll, findFollowed } from './followed.ts';
import { isTrusted, processFolders, type ProcessKey } from './process-folder.ts';

export interface ProcessCall {
  readonly command: string;
  readonly input?: unknown;
  /** Maximum time to the answer, or to the next progress of the command. */
  readonly timeoutMs: number;
  readonly onProgress?: ((progress: unknown) => void) | undefined;
}

/** The replicator has this much time more than the command itself, so that its own error arrives. */
const GRACE_MS = 5_000;
const INFO_MS = 2_000;
/** One process usually has all databases of a configuration. */
const ASKED_MAX = 8;

/**
 * Asks the replicator of the configuration; without a configuration, that of the named database. The answer is trusted:
 * the socket is private. NOT_RUNNING if there is none.
 */
export async function askProcess<Answer>(
  args: Arguments,
  shell: Shell,
  call: ProcessCall,
  database?: string,
): Promise<Answer> {
  const config = configPathOf(args, shell);
  const file = database === undefined ? undefined : toDatabasePath(database);
  const key: ProcessKey | undefined =
    config !== undefined
      ? { kind: 'config', file: config }
      : file === undefined
        ? undefined
        : { kind: 'database', path: file };
  if (key === undefined) {
    throw new ReplicationError(
      'CONFIG_INVALID',
      `run ${args.command.name}: there is no configuration; give its path with -config, or name a database of the replicator`,
    );
  }
  const folders = processFolders(key, shell.environment).filter((folder) => isTrusted(folder));
  const subject = key.kind === 'config' ? key.file : key.path;
  for (const folder of folders) {
    const answer = await askAt(folder, subject, call);
    if (answer !== undefined) return answer.value as Answer;
  }
  const elsewhere = await folderByDatabases(args, shell, database);
  const answer = elsewhere === undefined ? undefined : await askAt(elsewhere, subject, call);
  if (answer !== undefined) return answer.value as Answer;
  throw new ReplicationError(
    'NOT_RUNNING',
    `send ${call.command} to the replicator of ${subject}: none was found; start "sluice replicate" with the same ` +
      'configuration, and run this as its user',
  );
}

/** undefined if nobody listens there. */
async function askAt(
  folder: string,
  subject: string,
  { command, input, timeoutMs, onProgress }: ProcessCall,
): Promise<{ readonly value: unknown } | undefined> {
  try {
    const value = await interruptible((signal) =>
      callControl({
        database: subject,
        metaPath: folder,
        command,
        input,
        timeoutMs: timeoutMs + GRACE_MS,
        onProgress,
        signal,
      }),
    );
    return { value };
  } catch (error) {
    if (isNobody(error)) return undefined;
    throw error;
  }
}

/** Whether there is no process. One that does not answer is there. */
export function isNobody(error: unknown): boolean {
  if (!isError(error, 'NOT_RUNNING')) return false;
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR';
}

/** Where a replicator with another environment or user listens: it says so through the socket of any database. */
async function folderByDatabases(
  args: Arguments,
  shell: Shell,
  database: string | undefined,
): Promise<string | undefined> {
  const positionals = database === undefined ? [] : [database];
  let followed: Awaited<ReturnType<typeof findFollowed>>;
  try {
    followed = await findFollowed({ ...args, positionals }, withoutMessages(shell));
  } catch (error) {
    if (isError(error, 'CONFIG_INVALID')) return undefined; // the replicator itself says what is wrong
    throw error;
  }
  const call = { command: 'info', timeoutMs: INFO_MS };
  const listening = followed.filter(({ metaPath }) => isListening(metaPath));
  for (const each of listening.slice(0, ASKED_MAX)) {
    const { answers } = await askAll<InfoAnswer>([each], call);
    const [answer] = answers;
    if (answer !== undefined) return answer.control;
  }
  return undefined;
}

/** Whether there is a socket, perhaps of a process that was killed. */
function isListening(metaPath: string): boolean {
  return fs.existsSync(path.join(metaPath, 'control', 'socket'));
}

/** The path of the configuration was printed before, or is not of interest. */
function withoutMessages({ environment, stdout, secrets, configPaths }: Shell): Shell {
  const stderr = new Writable({ write: (_chunk, _encoding, done) => done() });
  return { environment, stdout, stderr, secrets, configPaths };
}
