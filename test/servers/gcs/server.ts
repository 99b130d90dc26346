/** The test server: routes requests to handlers and sends their responses. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { checkAccess, type Account } from './access.ts';
import {
  ConnectionGone,
  Refused,
  type Answer,
  type Exchange,
  type LoggedRequest,
  type Operation,
} from './exchange.ts';
import { Faults } from './faults.ts';
import { list, read, remove, rewrite } from './objects.ts';
import { Store } from './store.ts';
import { putMultipart, Uploads } from './uploads.ts';

export interface ServerOptions {
  readonly bucket: string;
  /** Default 1,000. */
  readonly pageSizeMax?: number | undefined;
  /** Accounts with their roles. Without it everything is allowed, as in an emulator. */
  readonly accounts?: readonly Account[] | undefined;
}

interface Target {
  readonly operation: Operation;
  readonly bucket: string;
  readonly key: string;
  /** Target key of a rewrite, or id of an upload session. */
  readonly other: string;
}

export class GCSServer {
  readonly faults = new Faults();
  readonly store = new Store();
  readonly uploads = new Uploads();
  readonly log: LoggedRequest[] = [];
  /** Sockets that are open. */
  sockets = 0;
  isBucketThere = true;
  readonly #options: ServerOptions;
  readonly #watchers = new Set<() => void>();
  readonly #http: Server;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#http = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
      this.#handle(request, response).catch((error: unknown) => this.#http.emit('error', error));
    });
    this.#http.on('connection', (socket) => {
      this.sockets += 1;
      socket.once('close', () => {
        this.sockets -= 1;
        this.#notify();
      });
    });
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#http.once('error', reject);
    this.#http.listen(0, '127.0.0.1', resolve);
    await promise;
    this.#http.off('error', reject);
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#http.close(() => resolve());
    this.#http.closeAllConnections();
    await promise;
  }

  /** Resolves when `accept` returns true. Called for each event of a request or socket. */
  async until(accept: () => boolean): Promise<void> {
    if (accept()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const watcher = (): void => {
      if (accept()) resolve();
    };
    this.#watchers.add(watcher);
    await promise.finally(() => this.#watchers.delete(watcher));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', `http://127.0.0.1:${this.port}`);
    const target = targetOf(request, url);
    const { operation, key } = target;
    const { headers } = request;
    const query = url.searchParams;
    const entry: LoggedRequest = {
      operation,
      key,
      query,
      headers,
      status: undefined,
      bodyBytes: 0,
    };
    this.log.push(entry);
    this.#notify();
    const { store } = this;
    const { pageSizeMax = 1_000, bucket } = this.#options;
    const fault = this.faults.pick(operation);
    const exchange: Exchange = { request, entry, store, fault, pageSizeMax, bucket };
    try {
      const answer = await this.#answer(exchange, target).catch((error: unknown) => {
        if (error instanceof Refused) return error.toAnswer(operation === 'media');
        throw error;
      });
      await this.#send(exchange, response, answer);
      entry.status = answer.status;
    } catch (error) {
      if (!(error instanceof ConnectionGone)) throw error;
      entry.status = 0;
    } finally {
      this.#notify();
    }
    // Reads the rest of the request, so that the client gets the response instead of a reset.
    if (!request.complete && !request.destroyed) request.resume();
  }

  async #answer(exchange: Exchange, target: Target): Promise<Answer> {
    const { fault, entry } = exchange;
    if (fault?.kind.kind === 'hold-request') {
      fault.act();
      await fault.released;
    }
    if (fault?.kind.kind === 'error') {
      fault.act();
      const { status, reason = 'backendError', headers } = fault.kind;
      throw new Refused(status, reason, 'A fault of the test.', headers);
    }
    if (fault?.kind.kind === 'answer') {
      const { status, headers, text } = fault.kind;
      return { status, ...(headers && { headers }), body: Buffer.from(text) };
    }
    if (fault?.kind.kind === 'page') return { status: 200, body: Buffer.from(fault.kind.text) };
    checkAccess(entry, this.#options.accounts, exchange.store.get(entry.key) !== undefined);
    if (!this.isBucketThere || target.bucket !== this.#options.bucket) {
      throw new Refused(404, 'notFound', 'The specified bucket does not exist.');
    }
    switch (target.operation) {
      case 'list':
        return list(exchange);
      case 'get':
      case 'media':
        return read(exchange);
      case 'delete':
        return remove(exchange);
      case 'rewrite':
        return rewrite(exchange, target.other);
      case 'put':
        return await putMultipart(exchange);
      case 'begin-upload':
        return await this.uploads.begin(exchange);
      case 'put-part':
      case 'ask-upload':
        return await this.uploads.put(exchange, target.other);
      case 'end-upload':
        return this.uploads.end(target.other);
    }
  }

  async #send({ fault }: Exchange, response: ServerResponse, answer: Answer): Promise<void> {
    const { status, headers = {}, body = Buffer.alloc(0) } = answer;
    const { kind } = fault?.kind ?? {};
    if (kind === 'hold-answer') {
      fault?.act();
      await fault?.released;
    }
    if (kind === 'lose-answer') {
      fault?.act();
      response.socket?.resetAndDestroy();
      throw new ConnectionGone('the answer was lost');
    }
    if (response.destroyed) throw new ConnectionGone('the client went away');
    const length = status === 204 ? {} : { 'content-length': body.byteLength };
    response.writeHead(status, { ...headers, ...length });
    if (fault?.kind.kind === 'stall-response') {
      response.write(body.subarray(0, fault.kind.afterBytes), () => fault.act());
      return;
    }
    if (fault?.kind.kind === 'cut-response') {
      response.write(body.subarray(0, fault.kind.afterBytes), () => {
        fault.act();
        response.socket?.resetAndDestroy();
      });
      throw new ConnectionGone('the answer was cut');
    }
    response.end(body);
  }

  #notify(): void {
    for (const watcher of this.#watchers) watcher();
  }
}

function targetOf(request: IncomingMessage, url: URL): Target {
  const [, isUpload, bucket = '', rest = ''] =
    /^(\/upload)?\/storage\/v1\/b\/([^/]+)\/o(?:\/(.*))?$/.exec(url.pathname) ?? [];
  const query = url.searchParams;
  const of = (operation: Operation, key: string, other = ''): Target => ({
    operation,
    bucket: decodeURIComponent(bucket),
    key,
    other,
  });
  if (isUpload !== undefined) {
    const id = query.get('upload_id');
    const name = query.get('name') ?? '';
    if (id === null)
      return of(query.get('uploadType') === 'resumable' ? 'begin-upload' : 'put', name);
    const target = { ...of('put-part', ''), other: id };
    if (request.method === 'DELETE') return { ...target, operation: 'end-upload' };
    const isQuestion = request.headers['content-range']?.startsWith('bytes */') === true;
    return isQuestion ? { ...target, operation: 'ask-upload' } : target;
  }
  const [fromKey = '', toKey] = rest.split(/\/rewriteTo\/b\/[^/]+\/o\//);
  const key = decodeURIComponent(fromKey);
  if (toKey !== undefined) return of('rewrite', key, decodeURIComponent(toKey));
  if (rest === '') return of('list', '');
  if (request.method === 'DELETE') return of('delete', key);
  return of(query.get('alt') === 'media' ? 'media' : 'get', key);
}
