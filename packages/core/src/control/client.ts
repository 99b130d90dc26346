/** Sends one command to the replicator that owns a staging folder. */

import net from 'node:net';
import path from 'node:path';
import { messageOf, ReplicationError } from '../error.ts';
import { formatRequest, parseReply } from './protocol.ts';
import { controlSocket, openAddress } from './socket-path.ts';

/** A command, and for which database. */
export interface ControlCall {
  /** Path of the database, for messages. */
  readonly database: string;
  /** Its staging folder. */
  readonly metaPath: string;
  readonly command: string;
  /** JSON. */
  readonly input?: unknown;
  /** Maximum time to the answer, or to the next progress of the command. */
  readonly timeoutMs: number;
  readonly onProgress?: ((progress: unknown) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An answer is a status or a list; more would not be one of Sluice. */
const REPLY_CHARACTERS_MAX: number = 16 * 1024 * 1024;

/**
 * Returns the answer, as JSON. Throws the error of the replicator, NOT_RUNNING if none answers, and
 * STAGING_FAILED if its socket may not be used.
 */
export async function callControl(call: ControlCall): Promise<unknown> {
  const { metaPath, command, input, signal } = call;
  signal?.throwIfAborted();
  const socket = controlSocket(metaPath);
  let connection: net.Socket | undefined;
  const onAbort = (): void => void connection?.destroy(new Error('aborted'));
  const silence = new Silence(call.timeoutMs, onAbort);
  const address = await openAddress(socket).catch((error: unknown) => {
    throw unreachable(call, error);
  });
  try {
    connection = net.connect(address.path);
    signal?.addEventListener('abort', onAbort);
    silence.restart();
    connection.write(formatRequest({ command, input }));
    return await readAnswer(connection, (progress) => {
      silence.restart();
      call.onProgress?.(progress);
    });
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ReplicationError) throw error;
    throw silence.isTooLong ? silent(call) : unreachable(call, error);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    silence.end();
    connection?.destroy();
    await address.close();
  }
}

/** Calls back if nothing was heard for too long. */
class Silence {
  readonly #timeoutMs: number;
  readonly #onTooLong: () => void;
  #limit: AbortSignal | undefined;

  constructor(timeoutMs: number, onTooLong: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#onTooLong = onTooLong;
  }

  get isTooLong(): boolean {
    return this.#limit?.aborted ?? false;
  }

  restart(): void {
    this.end();
    this.#limit = AbortSignal.timeout(this.#timeoutMs);
    this.#limit.addEventListener('abort', this.#onTooLong);
  }

  end(): void {
    this.#limit?.removeEventListener('abort', this.#onTooLong);
  }
}

async function readAnswer(
  connection: net.Socket,
  onProgress: (progress: unknown) => void,
): Promise<unknown> {
  let text = '';
  connection.setEncoding('utf8');
  for await (const chunk of connection as AsyncIterable<string>) {
    const lines = (text + chunk).split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      const reply = parseReply(line);
      if (reply.kind === 'answer') return reply.answer;
      if (reply.kind === 'error') throw reply.error;
      if (reply.kind === 'progress') onProgress(reply.progress);
    }
    if (text.length > REPLY_CHARACTERS_MAX) throw new Error('it does not end');
  }
  throw new Error('the connection was closed without an answer');
}

function silent({ database, command, timeoutMs }: ControlCall): ReplicationError {
  return new ReplicationError(
    'NOT_RUNNING',
    `send ${command} to the replicator of ${database}: it did not answer within ${timeoutMs / 1_000} s; ` +
      'see its log and "sluice status", and restart it if it hangs',
  );
}

function unreachable(
  { database, metaPath, command }: ControlCall,
  cause: unknown,
): ReplicationError {
  const { code } = cause as NodeJS.ErrnoException;
  const goal = `send ${command} to the replicator of ${database}`;
  const socket = controlSocket(metaPath);
  if (code === 'EACCES' || code === 'EPERM') {
    const message = `${goal}: ${socket} may not be used (${code}); run this as the user of the replicator`;
    return new ReplicationError('STAGING_FAILED', message, { cause });
  }
  const isNone = code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR';
  const found = isNone
    ? `none listens in ${path.dirname(socket)}`
    : `${socket}: ${messageOf(cause)}`;
  const next =
    'start "sluice replicate" with the same configuration (or "sluice start", if "sluice stop" has stopped this ' +
    'database), or use "sluice replicate -once"';
  return new ReplicationError('NOT_RUNNING', `${goal}: ${found}; ${next}`, { cause });
}
