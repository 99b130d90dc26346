/** The S3 test server: routes requests to handlers and sends their responses. */

import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { send } from './answer.ts';
import { deleteObjects } from './delete-objects.ts';
import { ConnectionGone, S3Error } from './errors.ts';
import { element, xmlAnswer, type Answer, type Exchange } from './exchange.ts';
import { Faults, type ActiveFault } from './faults.ts';
import { listObjects } from './listing.ts';
import { RequestLog, type OpenRequest } from './log.ts';
import {
  abortUpload,
  completeUpload,
  createUpload,
  listParts,
  listUploads,
  uploadPart,
} from './multipart.ts';
import { copyObject, deleteObject, putObject, readObject } from './objects.ts';
import { settingsOf, type Settings, type StartOptions } from './options.ts';
import { operationOf, targetOf, type Target } from './request.ts';
import { authenticate } from './signature.ts';
import { Bucket } from './store.ts';
import { xmlDocument } from './xml.ts';

export class S3Server {
  readonly faults: Faults = new Faults();
  readonly log: RequestLog = new RequestLog();
  readonly settings: Settings;
  readonly protectedKeys: Set<string> = new Set();
  readonly #buckets: Map<string, Bucket>;
  #roundsAnswered = 0;
  readonly #http: Server;

  constructor(options: StartOptions, buckets: readonly string[]) {
    this.settings = settingsOf(options);
    this.#buckets = new Map(buckets.map((name) => [name, new Bucket(name)]));
    // keepAliveTimeout 0: idle connections stay open, so that a client never uses a closed one.
    this.#http = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
      this.#handle(request, response).catch((error: unknown) => this.#http.emit('error', error));
    });
  }

  async listen(port: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#http.once('error', reject);
    this.#http.listen(port, '127.0.0.1', resolve);
    await promise;
    this.#http.off('error', reject);
    return (this.#http.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#http.close(() => resolve());
    this.#http.closeAllConnections();
    await promise;
  }

  bucket(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (bucket !== undefined) return bucket;
    throw new S3Error('NoSuchBucket', 'The specified bucket does not exist', {
      fields: { BucketName: name },
    });
  }

  createBucket(name: string): void {
    this.#buckets.set(name, new Bucket(name));
  }

  removeBucket(name: string): void {
    this.#buckets.delete(name);
  }

  /** Hides the bucket until the returned function is called. */
  hideBucket(name: string): () => void {
    const bucket = this.bucket(name);
    this.#buckets.delete(name);
    return () => this.#buckets.set(name, bucket);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('x-amz-request-id', randomBytes(8).toString('hex').toUpperCase());
    response.setHeader('server', 'sluice-test-s3');
    let fault: ActiveFault | undefined;
    let entry: OpenRequest | undefined;
    try {
      const target = targetOf(request, this.settings);
      entry = openRequest(request, target, this.#roundsAnswered + 1);
      this.log.add(entry);
      fault = this.faults.pick(entry, response);
      if (this.settings.roundTripMs > 0) await sleep(this.settings.roundTripMs);
      const answer = await this.#answer({ request, response, target, entry, fault });
      entry.status = answer.status;
      await send(request, response, answer, fault, this.settings.link);
    } catch (error) {
      if (error instanceof ConnectionGone) {
        if (entry !== undefined) entry.status = 0;
      } else {
        await this.#sendError(request, response, entry, asS3Error(error));
      }
    } finally {
      this.#roundsAnswered = Math.max(this.#roundsAnswered, entry?.round ?? 0);
      this.log.notify();
    }
    // Reads the rest of the request, so that the client gets the response instead of a reset.
    if (!request.complete && !request.destroyed) request.resume();
  }

  async #answer(opened: Omit<Exchange, 'bucket' | 'settings' | 'protectedKeys'>): Promise<Answer> {
    const { request, target, entry, fault } = opened;
    if (fault?.kind.kind === 'hold-request') await fault.hold();
    const early = earlyFault(fault, opened.response);
    if (early !== undefined) return early;
    const { settings, protectedKeys } = this;
    const { denied = [] } = authenticate(request, target, settings);
    if (denied.includes(entry.operation)) throw new S3Error('AccessDenied', 'Access Denied');
    const bucket = this.bucket(target.bucket);
    return await this.#route({ ...opened, bucket, settings, protectedKeys });
  }

  async #route(exchange: Exchange): Promise<Answer> {
    const { operation } = exchange.entry;
    switch (operation) {
      case 'AbortMultipartUpload':
        return abortUpload(exchange);
      case 'CompleteMultipartUpload':
        return await completeUpload(exchange);
      case 'CopyObject':
        return copyObject(exchange, (name) => this.bucket(name));
      case 'CreateMultipartUpload':
        return createUpload(exchange);
      case 'DeleteObject':
        return deleteObject(exchange);
      case 'DeleteObjects':
        return await deleteObjects(exchange);
      case 'GetBucketLocation':
        return xmlAnswer('LocationConstraint', this.settings.region);
      case 'GetObject':
      case 'HeadObject':
        return readObject(exchange);
      case 'HeadBucket':
        return { status: 200, headers: { 'x-amz-bucket-region': this.settings.region } };
      case 'ListMultipartUploads':
        return listUploads(exchange);
      case 'ListObjectsV2':
        return listObjects(exchange);
      case 'ListParts':
        return listParts(exchange);
      case 'PutObject':
        return await putObject(exchange);
      case 'UploadPart':
        return await uploadPart(exchange);
      case 'Unknown':
        throw new S3Error('NotImplemented', 'This server does not implement that operation.');
    }
  }

  async #sendError(
    request: IncomingMessage,
    response: ServerResponse,
    entry: OpenRequest | undefined,
    error: S3Error,
  ): Promise<void> {
    if (entry !== undefined) {
      entry.status = error.status;
      entry.code = error.code;
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const isOfRegion = error.code === 'AuthorizationHeaderMalformed';
    const headers = {
      'content-type': 'application/xml',
      ...(isOfRegion ? { 'x-amz-bucket-region': this.settings.region } : {}),
      ...error.headers,
    };
    const body = error.toXML(request.url ?? '/');
    await send(request, response, { status: error.status, headers, body }, undefined);
  }
}

/** The response of a fault that replaces the handler. */
function earlyFault(fault: ActiveFault | undefined, response: ServerResponse): Answer | undefined {
  if (fault?.kind.kind === 'error') {
    fault.act();
    const { status, code, headers } = fault.kind;
    throw new S3Error({ code, status }, 'A fault of the test.', headers ? { headers } : {});
  }
  if (fault?.kind.kind === 'answer') {
    fault.act();
    const { status, headers, text: body } = fault.kind;
    for (const name of response.getHeaderNames()) response.removeHeader(name); // a foreign response
    return { status, headers, body };
  }
  if (fault?.kind.kind === 'error-in-200') {
    fault.act();
    const { code } = fault.kind;
    return {
      status: 200,
      headers: { 'content-type': 'application/xml' },
      body: xmlDocument(
        `<Error>${element('Code', code)}${element('Message', 'A fault of the test.')}</Error>`,
      ),
    };
  }
  return undefined;
}

function openRequest(request: IncomingMessage, target: Target, round: number): OpenRequest {
  return {
    operation: operationOf(request, target),
    method: request.method ?? '',
    url: request.url ?? '',
    bucket: target.bucket,
    key: target.key,
    style: target.style,
    query: target.query,
    headers: request.headers,
    trailers: {},
    bodyBytes: 0,
    status: undefined,
    round,
    code: undefined,
  };
}

function asS3Error(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new S3Error({ code: 'InternalError', status: 500 }, message);
}
