/** One request to the test server, what is answered to it, and errors as Google words them. */

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
  /** Once answered; 0 where the connection was cut instead. */
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

/** Thrown where a request is refused. */
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

  /** Where bytes are asked for, the message is all there is. */
  toAnswer(isMedia: boolean): Answer {
    const { status, reason, message, headers } = this;
    if (isMedia) return { status, headers, body: Buffer.from(message) };
    const errors = [{ message, domain: 'global', reason }];
    const answer = json({ error: { code: status, message, errors } }, status);
    return { ...answer, headers: { ...answer.headers, ...headers } };
  }
}

/** The client has gone away, or was made to. */
export class ConnectionGone extends Error {}

export function noSuchObject(key: string): Refused {
  return new Refused(404, 'notFound', `No such object: bucket/${key}`);
}

/** Throws where `ifGenerationMatch` does not hold. */
export function checkCondition(condition: string | null, generation: string | undefined): void {
  if (condition === null || condition === (generation ?? '0')) return;
  const message = 'At least one of the pre-conditions you specified did not hold.';
  throw new Refused(412, 'conditionNotMet', message);
}

/** Counted from the end: behind it may come what ends a body of several parts. */
const SPOILT = -100;

/** The whole body. Stops where a fault cuts: then what has come so far is handed to `onCut`. */
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
  if (fault?.kind.kind === 'spoil')
    body.writeUInt8(body.at(SPOILT) === 0 ? 1 : 0, body.byteLength + SPOILT);
  return body;
}
