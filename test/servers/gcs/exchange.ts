/** Requests, responses and errors of the test server, with Google's error messages. */

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Fault } from './faults.ts';
import type { Store } from './store.ts';

export type Operation =
  | 'list'
  | 'get'
  | 'media'
  | 'delete'
  | 'rewrite'
  | 'put'
  | 'begin-upload'
  | 'put-part'
  | 'ask-upload'
  | 'end-upload';

export interface LoggedRequest {
  readonly operation: Operation;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Status of the response, or 0 if the connection was cut. */
  status: number | undefined;
  bodyBytes: number;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly entry: LoggedRequest;
  readonly store: Store;
  readonly fault: Fault | undefined;
  readonly pageSizeMax: number;
  readonly bucket: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export function json(value: unknown, status = 200): Answer {
  const headers = { 'content-type': 'application/json; charset=UTF-8' };
  return { status, headers, body: Buffer.from(JSON.stringify(value)) };
}

/** Thrown to refuse a request. */
export class Refused extends Error {
  readonly status: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    reason: string,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.headers = headers;
  }

  /** Error responses to media requests contain only the message. */
  toAnswer(isMedia: boolean): Answer {
    const { status, reason, message, headers } = this;
    if (isMedia) return { status, headers, body: Buffer.from(message) };
    const errors = [{ message, domain: 'global', reason }];
    const answer = json({ error: { code: status, message, errors } }, status);
    return { ...answer, headers: { ...answer.headers, ...headers } };
  }
}

/** The client has disconnected, or a fault cut its connection. */
export class ConnectionGone extends Error {}

export function noSuchObject(key: string): Refused {
  return new Refused(404, 'notFound', `No such object: bucket/${key}`);
}

/** Throws if `ifGenerationMatch` is not met. */
export function checkCondition(condition: string | null, generation: string | undefined): void {
  if (condition === null || condition === (generation ?? '0')) return;
  const message = 'At least one of the pre-conditions you specified did not hold.';
  throw new Refused(412, 'conditionNotMet', message);
}

/** Offset from the end, before the closing delimiter of a multipart body. */
const CORRUPT_OFFSET = -100;

/** Reads the body. If a fault cuts the connection, passes the bytes so far to `onCut` and throws. */
export async function readBody(
  { request, fault, entry }: Exchange,
  onCut: (soFar: Buffer) => void = () => undefined,
): Promise<Buffer> {
  const cutAt = fault?.kind.kind === 'cut-request' ? fault.kind.afterBytes : Infinity;
  const chunks: Buffer[] = [];
  const soFar = (): Buffer => Buffer.concat(chunks);
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      const room = cutAt - entry.bodyBytes;
      chunks.push(chunk.subarray(0, room));
      entry.bodyBytes += Math.min(chunk.byteLength, room);
      if (entry.bodyBytes < cutAt) continue;
      fault?.act();
      request.socket.resetAndDestroy();
      throw new ConnectionGone('cut by a fault');
    }
  } catch {
    onCut(soFar());
    throw new ConnectionGone('the client went away');
  }
  const body = soFar();
  if (fault?.kind.kind === 'corrupt') {
    const offset = body.byteLength + CORRUPT_OFFSET;
    body.writeUInt8(body[offset] === 0 ? 1 : 0, offset);
  }
  return body;
}
