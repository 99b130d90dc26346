/**
 * A resumable upload: a session is opened, parts are put one after another, and the object appears
 * with the last one. Which parts arrived only the session knows, so this is where they are sent
 * again, and not by core:
 *
 *  the session answers            then
 *  308, range: bytes=0-<last>     what comes behind goes on from there
 *  308 without a range            nothing has arrived
 *  200                            the object is there: an answer was lost
 *  404, 410                       the session is gone: UNAVAILABLE, and core begins anew
 */

import { createHash } from 'node:crypto';
import { messageOf, ReplicationError, type ObjectInfo } from '@sluice/core/backend';
import type { Upload } from '@sluice/core/backend/http';
import type { PartReader } from '@sluice/core/backend/folder';
import { linkSignals, partSizeFor, waitToResend } from '@sluice/core/backend/http';
import { foreign, type Bucket, type Request } from './bucket.ts';
import { callOf, readNewObject, resourceOf, toUploaded, type NewObject } from './new-object.ts';

/** Parts follow one another, so a large file is few of them: eight, until they have 32 MiB. */
const PARTS_MAX = 8;
const PART_BYTES_MAX = 32 * 1024 * 1024;

export class Session {
  readonly #bucket: Bucket;
  readonly #of: Upload;
  readonly #reader: PartReader;
  readonly #md5 = createHash('md5');
  /** The server has forgotten bytes that we have no more, or has more than it was sent. */
  #isLost = false;

  constructor(bucket: Bucket, of: Upload, reader: PartReader) {
    this.#bucket = bucket;
    this.#of = of;
    this.#reader = reader;
  }

  async put(): Promise<ObjectInfo> {
    const url = await this.#begin();
    try {
      return await this.#putParts(url);
    } catch (error) {
      void this.#bucket.requests.keep(this.#abandon(url));
      throw error;
    }
  }

  /** Where the parts go. */
  async #begin(): Promise<string> {
    const { sizeBytes } = this.#of.body;
    const call: Request = {
      ...callOf(this.#bucket, this.#of, 'resumable'),
      headers: {
        'content-type': 'application/json; charset=UTF-8',
        'x-upload-content-type': 'application/octet-stream',
        'x-upload-content-length': String(sizeBytes),
      },
      data: JSON.stringify(resourceOf(this.#of)),
    };
    const answer = await this.#bucket.send(call, 200);
    const url = answer.headers.get('location');
    if (url !== null && /[?&]upload_id=./.test(url)) return url;
    throw foreign(answer, this.#of.what, 'no place for the parts');
  }

  async #putParts(url: string): Promise<ObjectInfo> {
    const { config, requests, sessionMemory: memory } = this.#bucket;
    const { sizeBytes } = this.#of.body;
    const partBytes = partBytesFor(sizeBytes, config.partSizeBytes);
    for (let start = 0; ; start += partBytes) {
      // For each part anew: other uploads are served between two of them.
      const giveBack = await memory.take(partBytes, [this.#of.signal, requests.closing]);
      try {
        const buffer = memory.borrow(partBytes);
        const bytes = await this.#reader.next(partBytes, buffer);
        requests.check(this.#of.signal);
        this.#md5.update(bytes);
        const isLast = start + bytes.byteLength === sizeBytes;
        const md5 = isLast ? this.#md5.digest('base64') : undefined;
        const done = await this.#putPart(url, start, bytes, md5);
        memory.recycle(buffer);
        if (done !== undefined) return toUploaded(done, this.#of, md5);
      } finally {
        giveBack();
      }
    }
  }

  /** The object, if that was the last part. */
  async #putPart(
    url: string,
    start: number,
    bytes: Uint8Array,
    md5: string | undefined,
  ): Promise<NewObject | undefined> {
    const end = start + bytes.byteLength;
    let arrived = start;
    let isKnown = true;
    let failures = 0;
    for (;;) {
      try {
        const answer = isKnown
          ? await this.#send(url, arrived, bytes.subarray(arrived - start), md5)
          : await this.#ask(url);
        if (typeof answer === 'object') return answer;
        if (answer === end && md5 === undefined) return undefined;
        this.#isLost = answer < start || answer > end;
        // All of the last part, and no object yet: it is asked for again.
        if (this.#isLost || answer === end || (isKnown && answer <= arrived)) {
          throw this.#standsAt(answer, arrived);
        }
        if (answer > arrived) failures = 0;
        arrived = answer;
        isKnown = true;
      } catch (error) {
        failures += 1;
        isKnown = false;
        await this.#afterFailure(error, failures);
      }
    }
  }

  async #send(
    url: string,
    start: number,
    data: Uint8Array,
    md5: string | undefined,
  ): Promise<number | NewObject> {
    const { sizeBytes } = this.#of.body;
    const last = start + data.byteLength - 1;
    return await this.#toSession(url, {
      headers: {
        'content-range': `bytes ${start}-${last}/${sizeBytes}`,
        ...(md5 !== undefined && { 'x-goog-hash': `md5=${md5}` }),
      },
      data,
      whenAborted: md5 === undefined ? 'cut' : 'settle',
    });
  }

  /** How much has arrived, or the object where all has. */
  async #ask(url: string): Promise<number | NewObject> {
    const headers = { 'content-range': `bytes */${this.#of.body.sizeBytes}` };
    return await this.#toSession(url, { headers, data: '' });
  }

  async #toSession(url: string, more: Partial<Request>): Promise<number | NewObject> {
    const { what, signal } = this.#of;
    const about = 'session';
    const call: Request = { url, method: 'PUT', what, about, signal, ...more };
    const answer = await this.#bucket.send(call, 200, 201, 308);
    if (answer.status !== 308) return readNewObject(this.#bucket, answer, this.#of);
    const last = /-(\d+)$/.exec(answer.headers.get('range') ?? '')?.[1];
    return last === undefined ? 0 : Number(last) + 1;
  }

  /** Waits, or throws what is not worth another attempt. */
  async #afterFailure(error: unknown, failures: number): Promise<void> {
    const { requests, logger } = this.#bucket;
    requests.check(this.#of.signal);
    if (this.#isLost) throw error;
    const link = linkSignals(this.#of.signal, requests.closing);
    try {
      await waitToResend(error, failures, { logger }, link.signal);
    } finally {
      link.unlink();
    }
  }

  #standsAt(arrived: number, expected: number): ReplicationError {
    const message = `${this.#of.what}: the upload stands at byte ${arrived}, after ${expected}`;
    return new ReplicationError('REPLICA_UNAVAILABLE', message);
  }

  /** Ends a session that will have no last part. It would end by itself after a week, unseen. */
  async #abandon(url: string): Promise<void> {
    const { requests, logger } = this.#bucket;
    if (requests.ended.aborted) return;
    const call: Request = { url, method: 'DELETE', what: this.#of.what, signal: undefined };
    try {
      await this.#bucket.send(call, 200, 204, 404, 410, 499);
    } catch (error) {
      logger.debug(`${this.#of.what}: its upload could not be ended: ${messageOf(error)}`);
    }
  }
}

function partBytesFor(sizeBytes: number, configuredBytes: number): number {
  const wanted = partSizeFor(sizeBytes, configuredBytes, PARTS_MAX);
  return Math.min(wanted, Math.max(configuredBytes, PART_BYTES_MAX));
}
