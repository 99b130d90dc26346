/**
 * Opens an object. Its body ends on an abort or a close, even if it is not being read. While it is not
 * being read, it may lose its socket to another request, and resumes with a new request (sockets.ts).
 */

import type { Readable } from 'node:stream';

import { isError, ReplicationError } from '../../error.ts';
import { onAbort } from '../abort.ts';
import type { ByteRange, GetOptions, OpenedObject } from '../client.ts';
import type { Call, Requests } from './requests.ts';
import type { Hold } from './sockets.ts';

/** The result of `Requests.open`. */
export interface OpenedStream {
  /** Size of the whole object. */
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly version: string;
  readonly stream: Readable;
  readonly hold: Hold;
}

/** A call that reads an object, or a range or version of it. */
export interface OpenCall extends Call {
  readonly range?: GetOptions['range'];
  readonly version?: GetOptions['version'];
}

/** How a backend opens an object over HTTP. */
export interface ObjectOpener {
  /** Rejects with REPLICA_NOT_FOUND, REPLICA_RANGE, or REPLICA_CONFLICT if the version differs. */
  open(call: OpenCall): Promise<OpenedStream>;
  /** Converts an error of the stream. */
  toError(error: unknown, what: string): ReplicationError;
}

/** Rejects with REPLICA_CHANGED if the object does not have the requested version. */
export async function openObject(
  requests: Requests,
  call: OpenCall,
  opener: ObjectOpener,
): Promise<OpenedObject> {
  const opened = await openVersion(opener, call);
  const { sizeBytes, modifiedAt, version } = opened;
  const body = new ObjectReader(opened, requests, call, opener);
  return { sizeBytes, modifiedAt, version, body: body.bytes() };
}

async function openVersion(opener: ObjectOpener, call: OpenCall): Promise<OpenedStream> {
  try {
    const opened = await opener.open(call);
    if (call.version === undefined || opened.version === call.version) return opened;
    opened.stream.destroy();
    opened.hold.release();
  } catch (error) {
    throw isError(error, 'REPLICA_CONFLICT') ? versionChanged(call.what, error) : error;
  }
  throw versionChanged(call.what); // the server ignores the condition
}

function versionChanged(what: string, cause?: ReplicationError): ReplicationError {
  const details = { cause, status: cause?.status };
  return new ReplicationError('REPLICA_CHANGED', `${what}: the object was replaced`, details);
}

interface Connection {
  readonly hold: Hold;
  readonly chunks: AsyncIterator<Uint8Array>;
}

class ObjectReader {
  readonly #requests: Requests;
  readonly #call: OpenCall;
  readonly #opener: ObjectOpener;
  readonly #version: string;
  readonly #end: number;
  #offset: number;
  #connection: Connection | undefined;
  #drop = (): void => undefined;

  constructor(opened: OpenedStream, requests: Requests, call: OpenCall, opener: ObjectOpener) {
    this.#requests = requests;
    this.#call = call;
    this.#opener = opener;
    this.#version = opened.version;
    this.#offset = call.range?.start ?? 0;
    this.#end = Math.min(call.range?.end ?? opened.sizeBytes, opened.sizeBytes);
    this.#adopt(opened);
  }

  /** Call it once. Leaving early frees the connection. */
  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        this.#check(); // after an abort, do not yield earlier bytes
        let connection = this.#connection;
        if (connection === undefined) {
          if (!this.#canReopen || this.#offset >= this.#end) return;
          connection = this.#adopt(await this.#reopen({ start: this.#offset, end: this.#end }));
        }
        const { hold, chunks } = connection;
        hold.busy();
        const { done, value } = await chunks.next();
        this.#check(); // a destroyed stream may end as if it had been read
        if (done === true) return;
        this.#offset += value.byteLength;
        this.#idle(hold);
        yield value;
      }
    } catch (error) {
      this.#check();
      throw isError(error) ? error : this.#opener.toError(error, this.#call.what);
    } finally {
      this.#drop();
    }
  }

  /** Only the same version can be resumed. Without a version, the object keeps its socket. */
  get #canReopen(): boolean {
    return this.#version !== '';
  }

  async #reopen(range: ByteRange): Promise<OpenedStream> {
    return await openVersion(this.#opener, { ...this.#call, range, version: this.#version });
  }

  /** An abort or a close frees the connection at once, even if nobody has begun to read. */
  #adopt({ stream, hold }: OpenedStream): Connection {
    const drop = (): void => {
      stream.destroy();
      hold.release();
      this.#connection = undefined;
    };
    const chunks = (stream as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    const connection = { hold, chunks };
    this.#connection = connection;
    this.#drop = drop;
    this.#idle(hold);
    const stop = onAbort([this.#call.signal, this.#requests.closing], drop);
    stream.once('close', stop);
    return connection;
  }

  #idle(hold: Hold): void {
    if (this.#canReopen) hold.idle(this.#drop);
  }

  #check(): void {
    this.#requests.check(this.#call.signal);
  }
}
