/**
 * A proxy for Azurite that logs requests and injects faults: a lost response, a request that hangs, a
 * corrupted body, a missing container.
 */

import { once } from 'node:events';
import {
  Agent,
  createServer,
  request as send,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { AzurePlace } from './azure-access.ts';

export type Operation =
  | 'PutBlob'
  | 'PutBlock'
  | 'PutBlockList'
  | 'CopyBlob'
  | 'GetBlob'
  | 'GetProperties'
  | 'DeleteBlob'
  | 'ListBlobs';

export interface LoggedRequest {
  readonly operation: Operation;
  readonly headers: IncomingHttpHeaders;
  readonly query: URLSearchParams;
  readonly bodyBytes: number;
  /** Status of the response, or undefined if the client got none. */
  status: number | undefined;
}

export type FaultKind =
  | { readonly kind: 'lose-answer' }
  | { readonly kind: 'hold-request' }
  | { readonly kind: 'change-body' }
  /** A foreign response, as from a login page or a proxy. The request is not executed. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly text: string;
    }
  | { readonly kind: 'cut-response'; readonly afterBytes: number }
  | {
      readonly kind: 'error';
      readonly status: number;
      readonly code: string;
      readonly headers?: Record<string, string>;
    };

export interface Fault {
  /** Resolves when the fault first acts. */
  readonly acted: Promise<void>;
  /** Lets held requests continue. */
  release(): void;
}

export interface AzureProxy {
  readonly place: AzurePlace;
  readonly requests: readonly LoggedRequest[];
  of(operation: Operation): readonly LoggedRequest[];
  /** Injects a fault into the next requests of an operation. `times` defaults to 1. */
  fault(operation: Operation, kind: FaultKind, times?: number): Fault;
  /** Makes the container look missing. Returns a function that restores it. */
  hideContainer(): () => void;
  /** Number of client sockets, current and maximum. */
  readonly sockets: { readonly now: number; readonly most: number };
  stop(): Promise<void>;
}

/** Longer than any test, so that only clients close sockets. */
const KEEP_ALIVE_MS = 600_000;

interface Planned {
  readonly operation: Operation;
  readonly kind: FaultKind;
  readonly acted: PromiseWithResolvers<void>;
  readonly released: PromiseWithResolvers<void>;
  times: number;
}

/** `pageSizeMax` shortens listings. It needs a token, with which queries are not signed. */
export async function startAzureProxy(
  target: AzurePlace,
  { pageSizeMax }: { readonly pageSizeMax?: number } = {},
): Promise<AzureProxy> {
  const upstream = new URL(target.endpoint);
  const agent = new Agent({ keepAlive: true });
  const requests: LoggedRequest[] = [];
  const planned: Planned[] = [];
  const sockets = { now: 0, most: 0 };
  let isHidden = false;

  const forwardedURL = (url: URL, operation: Operation): string => {
    if (operation === 'ListBlobs' && pageSizeMax !== undefined) {
      url.searchParams.set('maxresults', String(pageSizeMax));
    }
    const hidden = url.pathname.replace(`/${target.container}`, '/no-such-container');
    return `${isHidden ? hidden : url.pathname}${url.search}`;
  };

  const takeFault = (operation: Operation): Planned | undefined => {
    const found = planned.find((fault) => fault.operation === operation && fault.times > 0);
    if (found !== undefined) {
      found.times -= 1;
      found.acted.resolve();
    }
    return found;
  };

  const answer = async (from: IncomingMessage, to: ServerResponse): Promise<void> => {
    const url = new URL(from.url ?? '', upstream);
    const operation = operationOf(from, url);
    const body = await buffer(from);
    const { headers } = from;
    const log: LoggedRequest = {
      ...{ operation, headers, query: url.searchParams },
      ...{ bodyBytes: body.byteLength, status: undefined },
    };
    requests.push(log);
    const fault = takeFault(operation);
    const kind = fault?.kind;
    if (kind?.kind === 'error') return refuse(to, log, kind);
    if (kind?.kind === 'answer') {
      to.writeHead((log.status = kind.status), kind.headers);
      to.end(from.method === 'HEAD' ? undefined : kind.text);
      return;
    }
    if (kind?.kind === 'hold-request') await fault?.released.promise;
    if (kind?.kind === 'change-body') body.writeUInt8(body.readUInt8(0) ^ 1, 0);
    const { hostname: host, port } = upstream;
    const path = forwardedURL(url, operation);
    const forwarded = send({ host, port, path, method: from.method, headers, agent });
    to.once('close', () => void (to.writableFinished || forwarded.destroy()));
    forwarded.end(body);
    const [got] = (await once(forwarded, 'response')) as [IncomingMessage];
    if (kind?.kind === 'lose-answer') {
      await buffer(got); // the server has executed the request
      to.destroy();
      return;
    }
    if (!to.destroyed) log.status = got.statusCode;
    to.writeHead(got.statusCode ?? 0, got.headers);
    if (kind?.kind !== 'cut-response') return await pipeline(got, to);
    const whole = await buffer(got);
    to.write(whole.subarray(0, kind.afterBytes), () => to.destroy());
  };

  const server = createServer((from, to) => {
    // Passes a disconnect on to the other side.
    answer(from, to).catch(() => to.destroy());
  });
  server.on('connection', (socket) => {
    sockets.now += 1;
    sockets.most = Math.max(sockets.most, sockets.now);
    socket.once('close', () => (sockets.now -= 1));
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    place: { ...target, endpoint: `http://127.0.0.1:${port}${upstream.pathname}` },
    requests,
    of: (operation) => requests.filter((request) => request.operation === operation),
    fault(operation, kind, times = 1) {
      const [acted, released] = [promise(), promise()];
      planned.push({ operation, kind, acted, released, times });
      return { acted: acted.promise, release: released.resolve };
    },
    hideContainer() {
      isHidden = true;
      return () => void (isHidden = false);
    },
    sockets,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      agent.destroy();
    },
  };
}

function promise(): PromiseWithResolvers<void> {
  return Promise.withResolvers<void>();
}

function operationOf({ method, headers }: IncomingMessage, url: URL): Operation {
  const comp = url.searchParams.get('comp');
  if (comp === 'list') return 'ListBlobs';
  if (comp === 'block') return 'PutBlock';
  if (comp === 'blocklist') return 'PutBlockList';
  if (method === 'PUT') return headers['x-ms-copy-source'] === undefined ? 'PutBlob' : 'CopyBlob';
  if (method === 'DELETE') return 'DeleteBlob';
  return method === 'HEAD' ? 'GetProperties' : 'GetBlob';
}

function refuse(
  to: ServerResponse,
  log: LoggedRequest,
  { status, code, headers }: Extract<FaultKind, { kind: 'error' }>,
): void {
  log.status = status;
  to.writeHead(status, { 'x-ms-error-code': code, 'content-type': 'application/xml', ...headers });
  to.end(
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>Injected ${code}.</Message></Error>`,
  );
}
