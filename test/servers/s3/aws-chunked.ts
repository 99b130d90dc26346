/**
 * The aws-chunked framing of a body with trailing checksum.
 *
 *     <hex size>[;extension]\r\n <bytes> \r\n  …  0\r\n  name:value\r\n …  \r\n
 *
 * Only STREAMING-UNSIGNED-PAYLOAD-TRAILER is supported, the framing with unsigned chunks.
 */

import { S3Error } from './errors.ts';

const LINE_BYTES_MAX = 4096;

export class AWSChunkedDecoder {
  readonly trailers: Record<string, string> = {};
  #state: 'size' | 'data' | 'data-end' | 'trailer' | 'done' = 'size';
  #line: string = '';
  #leftBytes: number = 0;

  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** The payload in these bytes, as views. */
  *push(bytes: Uint8Array): Generator<Uint8Array> {
    let offset = 0;
    while (offset < bytes.byteLength) {
      if (this.#state === 'data') {
        const end = Math.min(offset + this.#leftBytes, bytes.byteLength);
        yield bytes.subarray(offset, end);
        this.#leftBytes -= end - offset;
        offset = end;
        if (this.#leftBytes === 0) this.#state = 'data-end';
        continue;
      }
      offset = this.#readLine(bytes, offset);
    }
  }

  #readLine(bytes: Uint8Array, start: number): number {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.byteLength : newline + 1;
    this.#line += Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString(
      'latin1',
    );
    if (this.#line.length > LINE_BYTES_MAX) throw malformed();
    if (newline >= 0) {
      const line = this.#line.replace(/\r?\n$/, '');
      this.#line = '';
      this.#take(line);
    }
    return end;
  }

  #take(line: string): void {
    switch (this.#state) {
      case 'size': {
        const size = /^([0-9a-fA-F]{1,8})(;.*)?$/.exec(line)?.[1];
        if (size === undefined) throw malformed();
        this.#leftBytes = Number.parseInt(size, 16);
        this.#state = this.#leftBytes === 0 ? 'trailer' : 'data';
        return;
      }
      case 'data-end':
        if (line !== '') throw malformed();
        this.#state = 'size';
        return;
      case 'trailer': {
        if (line === '') {
          this.#state = 'done';
          return;
        }
        const colon = line.indexOf(':');
        if (colon < 0) throw malformed();
        this.trailers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
        return;
      }
      default:
        throw malformed();
    }
  }
}

function malformed(): S3Error {
  return new S3Error('InvalidRequest', 'The aws-chunked body is malformed.');
}
