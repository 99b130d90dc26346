/** Connects handlers of web requests, such as that of the page, with node:http. Bodies are streams in both directions. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Resolves with undefined if the path is not its own. `request.signal` aborts when the client is gone. */
export type Mount = (request: Request) => Promise<Response | undefined>;

/** Asks the mounts in order. Returns whether one of them has answered. `signal`: the server is closing. */
export async function respondByMounts(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  mounts: readonly Mount[],
  signal: AbortSignal,
): Promise<boolean> {
  if (mounts.length === 0) return false;
  const gone = new AbortController();
  outgoing.once('close', () => gone.abort());
  const request = toRequest(incoming, AbortSignal.any([gone.signal, signal]));
  for (const mount of mounts) {
    const response = await mount(request);
    if (response === undefined) continue;
    await sendResponse(response, outgoing, incoming.method === 'HEAD' ? 'headers' : 'all');
    return true;
  }
  return false;
}

function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
  const { method = 'GET', url = '/', headers: given } = incoming;
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) {
    for (const each of [value].flat()) if (each !== undefined) headers.append(name, each);
  }
  const hasBody = method !== 'GET' && method !== 'HEAD';
  const body = hasBody ? (Readable.toWeb(incoming) as ReadableStream) : null;
  const init = { method, headers, body, signal, duplex: 'half' };
  // An absolute URL in the request line would name another server.
  return new Request(new URL(url.replace(/^[^/]+/, '/'), baseOf(incoming)), init as RequestInit);
}

function baseOf({ headers, socket }: IncomingMessage): string {
  const { localAddress = '127.0.0.1', localPort } = socket;
  const own = localAddress.includes(':') ? `[${localAddress}]` : localAddress;
  return `http://${headers.host ?? `${own}:${localPort}`}`;
}

async function sendResponse(
  response: Response,
  outgoing: ServerResponse,
  what: 'headers' | 'all',
): Promise<void> {
  const headers: Record<string, string | readonly string[]> = {};
  for (const [name, value] of response.headers) headers[name] = value;
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) headers['set-cookie'] = cookies;
  outgoing.writeHead(response.status, headers as Record<string, string>);
  if (response.body === null || what === 'headers') {
    await response.body?.cancel();
    outgoing.end();
    return;
  }
  outgoing.flushHeaders(); // the first event of a stream may come much later
  try {
    await pipeline(Readable.fromWeb(response.body), outgoing);
  } catch (error) {
    if (!outgoing.destroyed || outgoing.writableFinished) throw error; // otherwise the client is gone
  }
}
