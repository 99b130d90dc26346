/** Responses with the security headers that every answer of the page has. */

import type { ErrorCode } from '@sluice/core';
import type { Asset } from './assets.ts';
import { codeOf } from './errors.ts';

/** Nothing inline, nothing from elsewhere. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // With no-referrer, browsers would hide the origin of forms.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** Adds the security headers. Nothing is cached unless it says so. */
export function secure(response: Response): Response {
  for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value);
  if (!response.headers.has('cache-control')) response.headers.set('cache-control', 'no-store');
  return response;
}

export function json(value: unknown, status = 200): Response {
  const body = `${JSON.stringify(value ?? null)}\n`;
  return secure(new Response(body, { status, headers: { 'content-type': 'application/json' } }));
}

export function text(body: string, status: number): Response {
  const headers = { 'content-type': 'text/plain; charset=utf-8' };
  return secure(new Response(body, { status, headers }));
}

export function methodNotAllowed(methods: string): Response {
  const response = json({ error: { message: `${methods} only` } }, 405);
  response.headers.set('allow', methods);
  return response;
}

export function page({ type, plain, gzip, tag, caching }: Asset, request: Request): Response {
  const headers = {
    'content-type': type,
    'cache-control': caching,
    etag: tag,
    vary: 'accept-encoding',
  };
  if (request.headers.get('if-none-match') === tag) {
    return secure(new Response(null, { status: 304, headers }));
  }
  const isCompressed = /\bgzip\b/.test(request.headers.get('accept-encoding') ?? '');
  const response = new Response(isCompressed ? gzip : plain, { headers });
  if (isCompressed) response.headers.set('content-encoding', 'gzip');
  return secure(response);
}

const STATUS_CODES: Partial<Record<ErrorCode, number>> = {
  CONFIG_INVALID: 400,
  DATABASE_BUSY: 503,
  NOT_DURABLE: 504,
};

/** 4xx for a wrong request, 502 for what a destination answered. */
export function toStatusCode(error: unknown): number {
  if (error instanceof Error && 'statusCode' in error) return error.statusCode as number;
  const code = codeOf(error);
  return code === undefined ? 500 : (STATUS_CODES[code] ?? 502);
}
