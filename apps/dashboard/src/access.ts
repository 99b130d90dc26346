/**
 * Who may read, and who may change something.
 *
 *  reading   anyone, or only with the token (`readers`). Without the token, only under a name that no other site can
 *            take over: a site that points its own name to 127.0.0.1 (DNS rebinding) is refused
 *  changing  with the token: `Authorization: Bearer`, or the cookie of a session that was begun with it; a request
 *            by a browser must come from the page itself
 */

import { createHmac, createHash, randomBytes, timingSafeEqual } from 'node:crypto';

export interface AccessOptions {
  readonly token?: string | undefined;
  readonly readers: 'anyone' | 'token';
  /** Names of this site, beside addresses and localhost. */
  readonly hosts: readonly string[];
  /** Path of the cookie. */
  readonly basePath: string;
}

const COOKIE = 'sluice_session';
const SESSION_SECONDS = 12 * 3_600;

export class Access {
  readonly #options: AccessOptions;
  /** Sessions end with the process. */
  readonly #key: Buffer = randomBytes(32);

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  get hasToken(): boolean {
    return this.#options.token !== undefined;
  }

  /** Why the request may not read; undefined if it may. */
  refusesReading(request: Request): string | undefined {
    if (this.hasAuthority(request)) return undefined;
    if (this.#options.readers === 'token') return 'sign in with the token';
    const host = hostOf(request);
    if (isSafeHost(host) || this.#options.hosts.includes(host)) return undefined;
    return `this page is not known as ${host}: open it by its address, or sign in with the token`;
  }

  /** Whether the request has the token or the cookie of a session. */
  hasAuthority(request: Request): boolean {
    return this.#hasBearer(request) || this.#hasSession(request);
  }

  /** Why the request may not change something; undefined if it may. */
  refusesChange(request: Request): string | undefined {
    const foreign = foreignOrigin(request);
    if (foreign !== undefined) return foreign;
    if (this.#hasBearer(request)) return undefined;
    if (!this.#hasSession(request)) return 'sign in with the token';
    return isFromBrowser(request) ? undefined : 'a request with a cookie must name its origin';
  }

  /** Why the request may not begin or end a session. It has no authority yet. */
  refusesSignIn(request: Request): string | undefined {
    if (!this.hasToken) return 'no token is configured, so the page can only be read';
    return foreignOrigin(request);
  }

  /** Returns the cookie of a new session, or undefined for a wrong token. */
  beginSession(token: string, request: Request): string | undefined {
    if (!this.#isToken(token)) return undefined;
    const expires = String(Math.floor(Date.now() / 1_000) + SESSION_SECONDS);
    const value = `${expires}.${this.#sign(expires)}`;
    return this.#cookie(value, SESSION_SECONDS, request);
  }

  endSession(request: Request): string {
    return this.#cookie('', 0, request);
  }

  #cookie(value: string, seconds: number, request: Request): string {
    const secure = new URL(request.url).protocol === 'https:' ? '; Secure' : '';
    const path = this.#options.basePath === '' ? '/' : this.#options.basePath;
    return `${COOKIE}=${value}; Max-Age=${seconds}; Path=${path}; HttpOnly; SameSite=Strict${secure}`;
  }

  #hasBearer(request: Request): boolean {
    const [, token] = /^Bearer +(.+)$/i.exec(request.headers.get('authorization') ?? '') ?? [];
    return token !== undefined && this.#isToken(token);
  }

  #hasSession(request: Request): boolean {
    if (!this.hasToken) return false;
    const cookies = (request.headers.get('cookie') ?? '').split(/; */);
    const value = cookies.find((each) => each.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
    const [, expires, signature] = /^(\d{1,12})\.([0-9a-f]{64})$/.exec(value ?? '') ?? [];
    if (expires === undefined || signature === undefined) return false;
    return isSame(signature, this.#sign(expires)) && Number(expires) * 1_000 > Date.now();
  }

  #isToken(given: string): boolean {
    const { token } = this.#options;
    return token !== undefined && isSame(given, token);
  }

  /** Another token invalidates the cookies too. */
  #sign(text: string): string {
    return createHmac('sha256', this.#key)
      .update(`${this.#options.token ?? ''} ${text}`)
      .digest('hex');
  }
}

/** In a time that depends on neither text. */
function isSame(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

/** The name that the client used, without its port. */
function hostOf(request: Request): string {
  return nameOf(authorityOf(request));
}

function authorityOf(request: Request): string {
  return (request.headers.get('host') ?? new URL(request.url).host).toLowerCase();
}

function nameOf(authority: string): string {
  return authority.replace(/:\d+$/, '');
}

/** Addresses and localhost: no other site can have these names. */
function isSafeHost(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost')) return true;
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) || /^\[[0-9a-f:.]+\]$/.test(host);
}

function isFromBrowser({ headers }: Request): boolean {
  return headers.has('sec-fetch-site') || headers.has('origin');
}

/** Whether a browser says that the request comes from another site. undefined if it does not. */
function foreignOrigin(request: Request): string | undefined {
  const site = request.headers.get('sec-fetch-site');
  if (site !== null && site !== 'same-origin')
    return `refused: it comes from another site (${site})`;
  const origin = request.headers.get('origin');
  if (origin === null) return undefined;
  // The scheme differs behind a proxy that ends TLS.
  const host = URL.canParse(origin) ? new URL(origin).host.toLowerCase() : undefined;
  return host === authorityOf(request) ? undefined : `refused: it comes from ${origin}`;
}
