/**
 * The page and its API as a handler of web requests. It needs no HTTP server: any Node application can mount it.
 *
 *  GET  /                     the page, and /page/… its assets
 *  GET  /api/session          what this client may do
 *  POST /api/session          begins a session: a form with `token`; `end` in the form ends it
 *  GET  /api/status           all rows; /api/events: the same, live, as server-sent events
 *  GET  /api/database?db=     one database: its status and settings
 *  GET  /api/samples?db=      lag and throughput of the last hours
 *  GET  /api/history?db=      what can be restored
 *  GET  /api/plan?db=&at=     what a restore would read; `at` is a time, or `txid`; neither: the newest
 *  GET  /api/costs?db=        forecast of a month
 *  POST /api/restore          with the token: restores to a path; answers with lines of JSON
 *  POST /api/download         with the token: a form; answers with the restored database
 *  POST /api/command          with the token: {"command":"sync","input":{…}}; answers with lines of JSON
 */

import path from 'node:path';

import { Access } from './access.ts';
import { Assets } from './assets.ts';
import { codeOf, messageOf } from './errors.ts';
import { Feed } from './feed.ts';
import { answerInLines } from './lines.ts';
import { json, methodNotAllowed, page, secure, text, toStatusCode } from './responses.ts';
import type { DashboardSource, PlanTarget, RestoreOrder } from './source.ts';

/** Settings of a mounted page. */
export interface DashboardOptions {
  /** Allows restores, downloads and commands. Without it, the page can only be read. */
  readonly token?: string | undefined;
  /** Where the page is mounted, such as `/sluice`. Default: the root. */
  readonly basePath?: string | undefined;
  /** Who may read. Default: anyone who can connect. `token`: only with the token. */
  readonly readers?: 'anyone' | 'token' | undefined;
  /**
   * Host names of this site, such as `ops.example.com`. Addresses and localhost are always known. Under any other
   * name the token is needed: a foreign site can point its own name here.
   */
  readonly hosts?: readonly string[] | undefined;
  /** Shortest time between two readings of the status. Default 2 s. */
  readonly intervalMs?: number | undefined;
}

/** Answers a request, or undefined if its path does not belong to the page. */
export type DashboardHandler = (request: Request) => Promise<Response | undefined>;

/** Larger bodies are refused. */
const BODY_BYTES_MAX = 16 * 1024;
const TXID = /^[0-9a-f]{16}$/;

/** Creates the handler of the page. Fails if the page was not built. */
export function createDashboard(
  source: DashboardSource,
  options: DashboardOptions = {},
): DashboardHandler {
  const dashboard = new Dashboard(source, options);
  return async (request) => await dashboard.handle(request);
}

type Route = (request: Request, url: URL) => Promise<Response> | Response;

class Dashboard {
  readonly #source: DashboardSource;
  readonly #basePath: string;
  readonly #access: Access;
  readonly #assets = new Assets();
  readonly #feed: Feed;
  readonly #routes: ReadonlyMap<string, Route>;
  /** A restore reads much and writes much, so there is one at a time. */
  #isRestoring = false;

  constructor(source: DashboardSource, options: DashboardOptions) {
    const { token, basePath = '', readers = 'anyone', hosts = [] } = options;
    this.#source = source;
    this.#basePath = basePath.replace(/\/+$/, '');
    const names = hosts.map((host) => host.toLowerCase());
    this.#access = new Access({ token, readers, hosts: names, basePath: this.#basePath });
    this.#feed = new Feed(source, options.intervalMs);
    this.#routes = new Map<string, Route>([
      ['GET /api/session', (request) => json(this.#session(request))],
      ['POST /api/session', async (request) => await this.#signIn(request)],
      ['GET /api/status', async ({ signal }) => json(await this.#feed.read(signal))],
      ['GET /api/events', (request) => this.#events(request)],
      ['GET /api/database', async ({ signal }, url) => await this.#database(url, signal)],
      ['GET /api/samples', (_, url) => json(source.samples?.(databaseOf(url)))],
      [
        'GET /api/history',
        async ({ signal }, url) => json((await source.history?.(databaseOf(url), signal)) ?? []),
      ],
      [
        'GET /api/plan',
        async ({ signal }, { searchParams }) => {
          const target = toTarget((name) => searchParams.get(name));
          const plan = await source.plan?.(required(searchParams.get('db'), 'db'), target, signal);
          if (plan === undefined) throw new NotFound('plans are not supported here');
          return json(plan);
        },
      ],
      [
        'GET /api/costs',
        async ({ signal }, url) => json((await source.costs?.(databaseOf(url), signal)) ?? []),
      ],
      ['POST /api/restore', async (request) => await this.#restore(request)],
      ['POST /api/download', async (request) => await this.#download(request)],
      ['POST /api/command', async (request) => await this.#command(request)],
    ]);
  }

  async handle(request: Request): Promise<Response | undefined> {
    const url = new URL(request.url);
    const own = this.#ownPath(url.pathname);
    if (own === undefined) return undefined;
    const response = await this.#answer(request, own, url);
    if (request.method !== 'HEAD' || response.body === null) return response;
    await response.body.cancel();
    return new Response(null, { status: response.status, headers: response.headers });
  }

  /** The path below the base path; undefined if it does not belong to the page. */
  #ownPath(pathname: string): string | undefined {
    if (!pathname.startsWith(this.#basePath)) return undefined;
    const own = pathname.slice(this.#basePath.length);
    const isOwn = own === '' || own === '/' || own.startsWith('/page/') || own.startsWith('/api/');
    return isOwn ? own : undefined;
  }

  async #answer(request: Request, own: string, url: URL): Promise<Response> {
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    if (!own.startsWith('/api/')) {
      if (method !== 'GET') return methodNotAllowed('GET, HEAD');
      return await this.#asset(request, own, url);
    }
    const route = this.#routes.get(`${method} ${own}`);
    if (route === undefined) {
      const methods = ['GET', 'POST'].filter((each) => this.#routes.has(`${each} ${own}`));
      return methods.length === 0
        ? json({ error: { message: 'there is nothing at this path' } }, 404)
        : methodNotAllowed(methods.join(', '));
    }
    const refusal = this.#refusal(request, own, method);
    if (refusal !== undefined) return json({ error: { message: refusal } }, 403);
    try {
      return await route(request, url);
    } catch (error) {
      return json(toErrorLine(error), toStatusCode(error));
    }
  }

  #refusal(request: Request, own: string, method: string): string | undefined {
    if (own === '/api/session') {
      return method === 'POST' ? this.#access.refusesSignIn(request) : undefined;
    }
    return method === 'POST'
      ? this.#access.refusesChange(request)
      : this.#access.refusesReading(request);
  }

  async #asset(request: Request, own: string, url: URL): Promise<Response> {
    // Relative addresses in the page need the slash.
    if (own === '' && this.#basePath !== '') {
      return secure(
        new Response(null, {
          status: 308,
          headers: { location: `${this.#basePath}/${url.search}` },
        }),
      );
    }
    const name = own === '' || own === '/' ? 'index.html' : own.slice(1);
    const asset = await this.#assets.get(name);
    return asset === undefined ? text('not found\n', 404) : page(asset, request);
  }

  #session(request: Request): object {
    const refusal = this.#access.refusesReading(request);
    return {
      mayRead: refusal === undefined,
      refusal,
      mayChange: this.#access.hasAuthority(request),
      hasToken: this.#access.hasToken,
      canRestore: this.#source.restore !== undefined,
      canDownload: this.#source.download !== undefined,
      hasCosts: this.#source.costs !== undefined,
      hasHistory: this.#source.history !== undefined,
      hasSamples: this.#source.samples !== undefined,
    };
  }

  async #signIn(request: Request): Promise<Response> {
    const form = await readForm(request);
    const isEnd = form.get('end') !== null;
    const cookie = isEnd
      ? this.#access.endSession(request)
      : this.#access.beginSession(form.get('token') ?? '', request);
    if (cookie === undefined) return json({ error: { message: 'this is not the token' } }, 401);
    const response = json({ mayChange: !isEnd });
    response.headers.set('set-cookie', cookie);
    return response;
  }

  #events(request: Request): Response {
    if (request.method === 'HEAD') return secure(new Response(null, { headers: EVENT_HEADERS }));
    const stream = this.#feed.open();
    if (stream === undefined) return json({ error: { message: 'too many pages are open' } }, 503);
    return secure(new Response(stream, { headers: EVENT_HEADERS }));
  }

  async #database(url: URL, signal: AbortSignal): Promise<Response> {
    const name = databaseOf(url);
    const statuses = await this.#source.status(signal);
    const status = statuses.find((each) => each.path === name);
    if (status === undefined) throw new NotFound(`there is no database ${name}`);
    const settings = this.#source.settings(name);
    return json({ status, settings, drills: this.#source.drills(name) });
  }

  async #restore(request: Request): Promise<Response> {
    const form = await readForm(request);
    const database = required(form.get('db'), 'db');
    const output = required(form.get('output'), 'output');
    if (!path.isAbsolute(output)) throw new BadRequest('output must be an absolute path');
    const target = toTarget((name) => form.get(name));
    this.#beginRestore();
    return await answerInLines(
      async (write, signal) => {
        let toldMs = 0;
        const onProgress = (doneBytes: number, totalBytes: number): void => {
          const nowMs = performance.now();
          if (nowMs - toldMs < PROGRESS_MS && doneBytes < totalBytes) return;
          toldMs = nowMs;
          write({ doneBytes, totalBytes });
        };
        const line = await this.#runRestore({ database, target, output, onProgress }, signal);
        return { line, statusCode: 200 }; // the page reads the last line
      },
      { begin: 'at once', signal: request.signal },
    );
  }

  /** The last line of the answer. Never rejects. */
  async #runRestore(order: RestoreOrder, signal: AbortSignal): Promise<object> {
    try {
      const restored = await this.#source.restore?.(order, signal);
      return restored === undefined
        ? { error: { message: 'restores are not supported here' } }
        : { restored };
    } catch (error) {
      return toErrorLine(error);
    } finally {
      this.#isRestoring = false;
    }
  }

  async #command(request: Request): Promise<Response> {
    const { command, input } = toCommand(await readBody(request, 'application/json'));
    return await answerInLines(
      async (write, signal) => {
        const onProgress = (progress: unknown): void => write({ progress });
        try {
          if (this.#source.command === undefined) {
            throw new NotFound('commands are not supported here');
          }
          const answer = await this.#source.command({ command, input, onProgress }, signal);
          return { line: { answer }, statusCode: 200 };
        } catch (error) {
          return { line: toErrorLine(error), statusCode: toStatusCode(error) };
        }
      },
      { begin: 'with a line', signal: request.signal },
    );
  }

  async #download(request: Request): Promise<Response> {
    const form = await readForm(request);
    const database = required(form.get('db'), 'db');
    const target = toTarget((name) => form.get(name));
    this.#beginRestore();
    try {
      const found = await this.#source.download?.({ database, target }, request.signal);
      if (found === undefined) throw new NotFound('downloads are not supported here');
      const name = found.fileName.replaceAll(/[^\w.-]/g, '_');
      return secure(
        new Response(found.body, {
          headers: {
            'content-type': 'application/vnd.sqlite3',
            'content-length': String(found.sizeBytes),
            'content-disposition': `attachment; filename="${name}"`,
          },
        }),
      );
    } finally {
      this.#isRestoring = false;
    }
  }

  #beginRestore(): void {
    if (this.#isRestoring) throw new Conflict('another restore is running: try again when it ends');
    this.#isRestoring = true;
  }
}

const EVENT_HEADERS = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' };
/** Time between two reports of progress. */
const PROGRESS_MS = 200;

/** The request is wrong. */
class BadRequest extends Error {
  readonly statusCode = 400;
}

class NotFound extends Error {
  readonly statusCode = 404;
}

class Conflict extends Error {
  readonly statusCode = 409;
}

function databaseOf({ searchParams }: URL): string {
  return required(searchParams.get('db'), 'db');
}

function required(value: string | null, name: string): string {
  if (value === null || value === '') throw new BadRequest(`${name} is missing`);
  return value;
}

function toTarget(get: (name: string) => string | null): PlanTarget {
  const txid = get('txid') ?? '';
  const at = get('at') ?? '';
  if (txid !== '') {
    if (!TXID.test(txid)) throw new BadRequest('txid must be 16 hex digits');
    return { kind: 'txid', txid };
  }
  if (at === '') return { kind: 'latest' };
  if (Number.isNaN(Date.parse(at)))
    throw new BadRequest(`at must be a time, not ${JSON.stringify(at)}`);
  return { kind: 'timestamp', at: new Date(at).toISOString() };
}

function toErrorLine(error: unknown): object {
  return { error: { code: codeOf(error), message: messageOf(error) } };
}

async function readForm(request: Request): Promise<URLSearchParams> {
  return new URLSearchParams(await readBody(request, 'application/x-www-form-urlencoded'));
}

function toCommand(body: string): { readonly command: string; readonly input: unknown } {
  const value = parseJSON(body) as { readonly command?: unknown; readonly input?: unknown } | null;
  if (typeof value?.command === 'string') return { command: value.command, input: value.input };
  throw new BadRequest('send {"command":"NAME","input":{…}}');
}

/** null if it is not JSON. */
function parseJSON(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function readBody(request: Request, type: string): Promise<string> {
  if (!(request.headers.get('content-type') ?? '').startsWith(type)) {
    throw new BadRequest(`send ${type}`);
  }
  let body = '';
  const decoder = new TextDecoder();
  for await (const chunk of request.body ?? []) {
    body += decoder.decode(chunk as Uint8Array, { stream: true });
    if (body.length > BODY_BYTES_MAX) throw new BadRequest('the body is too large');
  }
  return body;
}
