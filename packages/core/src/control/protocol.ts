/**
 * The protocol of the control socket. Pure.
 *
 * A client connects, sends one line of JSON, and reads lines of JSON until one has the kind 'answer' or
 * 'error'. Then the server closes the connection. If the client closes it first, the command is aborted. A command that
 * takes long sends progress every few seconds, and a client without a line for some time gives up.
 *
 *   request   {"version":1,"command":"sync","input":{…}}
 *   progress  {"version":1,"kind":"progress","progress":…}
 *   answer    {"version":1,"kind":"answer","answer":…}
 *   error     {"version":1,"kind":"error","code":"NOT_DURABLE","message":"…","durable":{…}}
 *
 * A request is valid if and only if it is one line of at most REQUEST_BYTES_MAX bytes with the version of
 * the server, a command that the server knows, and any input. A client ignores lines of other kinds: a later server may
 * have more.
 */

import {
  type DurableFailure,
  ERROR_CODES,
  type ErrorCode,
  isError,
  messageOf,
  ReplicationError,
} from '../error.ts';

/** Raised when an older client would misunderstand a newer server. */
const CONTROL_VERSION = 1;
/** Maximum size of a request. Inputs are names and numbers. */
export const REQUEST_BYTES_MAX: number = 64 * 1024;

export interface ControlRequest {
  readonly command: string;
  readonly input: unknown;
}

type Reply =
  | { readonly version: number; readonly kind: 'progress'; readonly progress: unknown }
  | { readonly version: number; readonly kind: 'answer'; readonly answer: unknown }
  | {
      readonly version: number;
      readonly kind: 'error';
      readonly code: string;
      readonly message: string;
      readonly durable?: DurableFailure | undefined;
    };

export function formatRequest({ command, input }: ControlRequest): string {
  return toLine({ version: CONTROL_VERSION, command, input });
}

/** CONFIG_INVALID if the line is not a request of this version. */
export function parseRequest(line: string): ControlRequest {
  const value = parseObject(line);
  const { version, command, input } = value ?? {};
  if (value === undefined || typeof command !== 'string') {
    throw invalid(`a request is a line of JSON with a command, not ${line.slice(0, 100)}`);
  }
  if (version !== CONTROL_VERSION) {
    const versions = `version ${String(version)}, and this replicator understands ${CONTROL_VERSION}`;
    throw invalid(`the request has ${versions}: use the same version of Sluice for both`);
  }
  return { command, input };
}

export function formatAnswer(answer: unknown): string {
  return toLine({ version: CONTROL_VERSION, kind: 'answer', answer } satisfies Reply);
}

export function formatProgress(progress: unknown): string {
  return toLine({ version: CONTROL_VERSION, kind: 'progress', progress } satisfies Reply);
}

export function formatError(error: unknown): string {
  const { code, durable } = isError(error) ? error : UNKNOWN;
  const reply: Reply = {
    version: CONTROL_VERSION,
    kind: 'error',
    code,
    message: messageOf(error),
    durable,
  };
  return toLine(reply);
}

export type ParsedReply =
  | { readonly kind: 'progress'; readonly progress: unknown }
  | { readonly kind: 'answer'; readonly answer: unknown }
  | { readonly kind: 'error'; readonly error: ReplicationError }
  /** A kind of a later version. */
  | { readonly kind: 'other' };

/** NOT_RUNNING if the line is not a reply. */
export function parseReply(line: string): ParsedReply {
  const reply = parseObject(line) as Partial<Reply> | undefined;
  if (reply?.kind === 'progress') return { kind: 'progress', progress: reply.progress };
  if (reply?.kind === 'answer') return { kind: 'answer', answer: reply.answer };
  if (reply?.kind === 'error') return { kind: 'error', error: toError(reply) };
  if (typeof (reply as { kind?: unknown } | undefined)?.kind === 'string') return { kind: 'other' };
  throw new ReplicationError(
    'NOT_RUNNING',
    `read the answer of the replicator: it is not a reply of Sluice: ${line.slice(0, 100)}; ` +
      'restart the replicator with this version of Sluice',
  );
}

function toError({
  code = '',
  message = '',
  durable,
}: Partial<Reply & { kind: 'error' }>): ReplicationError {
  const known = code in ERROR_CODES ? (code as ErrorCode) : UNKNOWN.code;
  return new ReplicationError(known, message, { durable });
}

const UNKNOWN = { code: 'REPLICA_UNKNOWN', durable: undefined } as const;

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(line) as unknown;
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function invalid(why: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', `run a command of the control socket: ${why}`);
}

/** JSON has no line breaks outside of strings, and escapes those inside. */
function toLine(value: object): string {
  return `${JSON.stringify(value)}\n`;
}
