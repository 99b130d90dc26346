/**
 * Writes one object, completely or not at all. Up to the size of a part it is one request
 * (multipart/related: metadata, then bytes). A larger one is a resumable upload: a session is opened,
 * parts are sent one after another, and the object appears with the last of them. Bytes are read into
 * memory before they are sent: a source that fails or ends early never makes an object, and a part
 * can be sent again. The MD5 of all bytes is sent with the last of them, and Google verifies it.
 *
 * Only the session knows which bytes have arrived, so parts are sent again here and not by core:
 *
 *  the session answers            then
 *  308, range: bytes=0-<last>     the upload continues after that byte
 *  308 without a range            nothing has arrived
 *  200                            the object exists: a response was lost
 *  404, 410                       the session is gone: UNAVAILABLE, and core starts over
 */

import { createHash, randomUUID } from 'node:crypto';
import { messageOf, ReplicationError, type ObjectInfo } from '@sluice/core/backend';
import type { PartReader } from '@sluice/core/backend/folder';
import {
  formatTimestamp,
  linkSignals,
  openParts,
  partSizeFor,
  waitToResend,
  type Upload,
} from '@sluice/core/backend/http';
import {
  foreign,
  TIMESTAMP,
  type Bucket,
  type ObjectResource,
  type Request,
  type Response,
} from './bucket.ts';

/** Parts are sent one after another, so a large file has few of them: eight, up to 32 MiB each. */
const PARTS_MAX = 8;
const PART_BYTES_MAX = 32 * 1024 * 1024;
const FIELDS = 'name,generation,timeCreated,size,md5Hash';

/** LTX_TRUNCATED or LTX_INVALID if the body does not have its `sizeBytes`. */
export async function uploadObject(bucket: Bucket, upload: Upload): Promise<ObjectInfo> {
  const reader = openParts(upload.body, upload.what, upload.signal, bucket.requests.closing);
  try {
    const isSmall = upload.body.sizeBytes <= bucket.config.partSizeBytes;
    if (isSmall) return await putWhole(bucket, upload, reader);
    return await new Session(bucket, upload, reader).put();
  } finally {
    await reader.close();
  }
}

async function putWhole(bucket: Bucket, upload: Upload, reader: PartReader): Promise<ObjectInfo> {
  const { sizeBytes } = upload.body;
  const release = await bucket.memory.take(sizeBytes, [upload.signal, bucket.requests.closing]);
  try {
    const boundary = `sluice-${randomUUID()}`;
    const head = (md5Hash: string): string =>
      [
        `--${boundary}`,
        'content-type: application/json; charset=UTF-8',
        '',
        JSON.stringify({ ...resourceOf(upload), md5Hash }),
        `--${boundary}`,
        'content-type: application/octet-stream',
        '',
        '',
      ].join('\r\n');
    const start = Buffer.byteLength(head(EMPTY_MD5)); // every MD5 has the same length
    const end = `\r\n--${boundary}--\r\n`;
    const data = Buffer.allocUnsafeSlow(start + sizeBytes + end.length);
    const bytes = await reader.next(sizeBytes, data.subarray(start));
    bucket.requests.check(upload.signal);
    const md5 = createHash('md5').update(bytes).digest('base64');
    data.write(head(md5), 'utf8');
    data.write(end, start + sizeBytes, 'utf8');
    const call = {
      ...uploadRequest(bucket, upload, 'multipart'),
      headers: { 'content-type': `multipart/related; boundary=${boundary}` },
      data,
      whenAborted: 'settle',
    } as const;
    return toInfo(readNewObject(bucket, await bucket.send(call, 200), upload), upload, md5);
  } finally {
    release();
  }
}

const EMPTY_MD5 = createHash('md5').digest('base64');

class Session {
  readonly #bucket: Bucket;
  readonly #upload: Upload;
  readonly #reader: PartReader;
  readonly #md5 = createHash('md5');
  /** The server has lost bytes that are no longer in memory, or has more than were sent. */
  #isLost = false;

  constructor(bucket: Bucket, upload: Upload, reader: PartReader) {
    this.#bucket = bucket;
    this.#upload = upload;
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

  /** Opens the session and returns its URL. */
  async #begin(): Promise<string> {
    const { sizeBytes } = this.#upload.body;
    const call: Request = {
      ...uploadRequest(this.#bucket, this.#upload, 'resumable'),
      headers: {
        'content-type': 'application/json; charset=UTF-8',
        'x-upload-content-type': 'application/octet-stream',
        'x-upload-content-length': String(sizeBytes),
      },
      data: JSON.stringify(resourceOf(this.#upload)),
    };
    const response = await this.#bucket.send(call, 200);
    const url = response.headers.get('location');
    if (url !== null && /[?&]upload_id=./.test(url)) return url;
    throw foreign(response, this.#upload.what, 'no upload URL');
  }

  async #putParts(url: string): Promise<ObjectInfo> {
    const { config, requests, sessionMemory: memory } = this.#bucket;
    const { sizeBytes } = this.#upload.body;
    const partBytes = partBytesFor(sizeBytes, config.partSizeBytes);
    for (let start = 0; ; start += partBytes) {
      // Memory is taken for each part, so that other uploads get their turn between two parts.
      const release = await memory.take(partBytes, [this.#upload.signal, requests.closing]);
      try {
        const buffer = memory.borrow(partBytes);
        const bytes = await this.#reader.next(partBytes, buffer);
        requests.check(this.#upload.signal);
        this.#md5.update(bytes);
        const isLast = start + bytes.byteLength === sizeBytes;
        const md5 = isLast ? this.#md5.digest('base64') : undefined;
        const object = await this.#putPart(url, start, bytes, md5);
        memory.recycle(buffer);
        if (object !== undefined) return toInfo(object, this.#upload, md5);
      } finally {
        release();
      }
    }
  }

  /** Returns the object if this was the last part. `md5` is set for the last part only. */
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
          : await this.#readState(url);
        if (typeof answer === 'object') return answer;
        if (answer === end && md5 === undefined) return undefined;
        this.#isLost = answer < start || answer > end;
        // If the entire last part arrived and there is no object, the state is read again.
        if (this.#isLost || answer === end || (isKnown && answer <= arrived)) {
          const message = `${this.#upload.what}: the upload is at byte ${answer}, after ${arrived}`;
          throw new ReplicationError('REPLICA_UNAVAILABLE', message);
        }
        if (answer > arrived) failures = 0;
        arrived = answer;
        isKnown = true;
      } catch (error) {
        failures += 1;
        isKnown = false;
        await this.#waitAfterFailure(error, failures);
      }
    }
  }

  async #send(
    url: string,
    start: number,
    data: Uint8Array,
    md5: string | undefined,
  ): Promise<number | NewObject> {
    const { sizeBytes } = this.#upload.body;
    const last = start + data.byteLength - 1;
    return await this.#request(url, {
      headers: {
        'content-range': `bytes ${start}-${last}/${sizeBytes}`,
        ...(md5 !== undefined && { 'x-goog-hash': `md5=${md5}` }),
      },
      data,
      whenAborted: md5 === undefined ? 'cut' : 'settle',
    });
  }

  async #readState(url: string): Promise<number | NewObject> {
    const headers = { 'content-range': `bytes */${this.#upload.body.sizeBytes}` };
    return await this.#request(url, { headers, data: '' });
  }

  /** Returns the number of bytes that have arrived, or the object if it is complete. */
  async #request(url: string, more: Partial<Request>): Promise<number | NewObject> {
    const { what, signal } = this.#upload;
    const call: Request = { url, method: 'PUT', what, about: 'session', signal, ...more };
    const response = await this.#bucket.send(call, 200, 201, 308);
    if (response.status !== 308) return readNewObject(this.#bucket, response, this.#upload);
    const last = /-(\d+)$/.exec(response.headers.get('range') ?? '')?.[1];
    return last === undefined ? 0 : Number(last) + 1;
  }

  /** Throws an error that cannot be retried. */
  async #waitAfterFailure(error: unknown, failures: number): Promise<void> {
    const { requests, logger } = this.#bucket;
    requests.check(this.#upload.signal);
    if (this.#isLost) throw error;
    const link = linkSignals(this.#upload.signal, requests.closing);
    try {
      await waitToResend(error, failures, { logger }, link.signal);
    } finally {
      link.unlink();
    }
  }

  /** Ends an unfinished session. Otherwise Google ends it after a week; it is invisible until then. */
  async #abandon(url: string): Promise<void> {
    const { requests, logger } = this.#bucket;
    if (requests.ended.aborted) return;
    const { what } = this.#upload;
    try {
      const call: Request = { url, method: 'DELETE', what, signal: undefined };
      await this.#bucket.send(call, 200, 204, 404, 410, 499);
    } catch (error) {
      logger.debug(`${what}: the unfinished upload was not canceled: ${messageOf(error)}`);
    }
  }
}

function partBytesFor(sizeBytes: number, configuredBytes: number): number {
  const wanted = partSizeFor(sizeBytes, configuredBytes, PARTS_MAX);
  return Math.min(wanted, Math.max(configuredBytes, PART_BYTES_MAX));
}

function resourceOf({ key, body: { createdAt } }: Upload): ObjectResource {
  if (createdAt === undefined) return { name: key };
  return { name: key, metadata: { [TIMESTAMP]: formatTimestamp(createdAt) } };
}

function uploadRequest({ config }: Bucket, upload: Upload, uploadType: string): Request {
  const { key, condition, what, signal } = upload;
  // Generation 0 means that the object does not exist.
  const ifGenerationMatch = condition === 'if-absent' ? '0' : condition?.version;
  return {
    url: `/upload/storage/v1/b/${encodeURIComponent(config.bucket)}/o`,
    method: 'POST',
    params: { uploadType, name: key, ifGenerationMatch, fields: FIELDS },
    what,
    about: 'bucket',
    signal,
  };
}

/** A stored object. It has a generation, which only Google assigns. */
interface NewObject extends ObjectResource {
  readonly generation: string;
  readonly size: string;
}

/** REPLICA_UNAVAILABLE if the response is not from Google. */
function readNewObject(bucket: Bucket, response: Response, { key, what }: Upload): NewObject {
  const object = (bucket.read(response, { what }) ?? {}) as ObjectResource;
  const { name = key, generation, size } = object;
  if (generation !== undefined && generation !== '' && size !== undefined && name === key) {
    return { ...object, generation, size };
  }
  throw foreign(response, what, 'no generation of this object');
}

/** REPLICA_UNAVAILABLE if the server stored other bytes than were sent. */
function toInfo(object: NewObject, upload: Upload, md5: string | undefined): ObjectInfo {
  const { generation, timeCreated, size, md5Hash } = object;
  const isOther = md5 !== undefined && md5Hash !== undefined && md5Hash !== md5;
  if (isOther || Number(size) !== upload.body.sizeBytes) {
    const message = `${upload.what}: the server stored other bytes than were sent (${size} bytes, MD5 ${md5Hash})`;
    throw new ReplicationError('REPLICA_UNAVAILABLE', message);
  }
  const modifiedAt = new Date(timeCreated ?? Date.now());
  const { sizeBytes, createdAt } = upload.body;
  return { key: upload.key, sizeBytes, modifiedAt, version: generation, createdAt };
}
