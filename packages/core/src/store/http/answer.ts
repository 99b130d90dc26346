/**
 * Detects answers that do not come from the provider. Login pages, proxies, consoles and caches answer 200
 * to any request. So a status alone proves nothing: an answer is accepted only in the provider's own form.
 */

import { ReplicationError, type ErrorCode } from '../../error.ts';
import { codeOfStatus } from './refusal.ts';

/** An answer that is not the provider's. */
export interface ForeignAnswer {
  readonly status: number;
  /** The body, or its beginning. */
  readonly text?: string | undefined;
  readonly contentType?: string | null | undefined;
  /** The target of a redirect. */
  readonly location?: string | null | undefined;
  /** The missing part of a provider's answer: "no ETag". '' if the body is explanation enough. */
  readonly lacks: string;
}

/** Thrown by the check of an answer. `errorOfForeignAnswer` adds the request to the message. */
export class ForeignAnswerError extends Error {
  readonly answer: ForeignAnswer;

  constructor(answer: ForeignAnswer) {
    super(describeAnswer(answer));
    this.name = 'ForeignAnswerError';
    this.answer = answer;
  }
}

/** `provider` is "an S3 server". Retryable: a login page or a proxy may go away. */
export function errorOfForeignAnswer(
  { answer, message }: ForeignAnswerError,
  { what, provider }: { readonly what: string; readonly provider: string },
): ReplicationError {
  // Drops the status: it is not the provider's, and says nothing about an object or an upload.
  const text = `${what}: this does not look like ${provider}: ${message}; ${nextStep(answer)}`;
  return new ReplicationError(codeOfForeign(answer.status), text);
}

function nextStep({ text = '' }: ForeignAnswer): string {
  return /HTTP request (?:was sent )?to (?:an )?HTTPS/i.test(text)
    ? 'write https:// in endpoint'
    : 'check endpoint, and whether a proxy or a login page answers instead';
}

function codeOfForeign(status: number): ErrorCode {
  const code = codeOfStatus(status);
  return code === 'REPLICA_RATE_LIMITED' ? code : 'REPLICA_UNAVAILABLE';
}

/** Enough of a body to recognize it. */
const SHOWN_CHARS_MAX = 60;

function describeAnswer({ status, text, contentType, location, lacks }: ForeignAnswer): string {
  const parts: string[] = [`status ${status}`];
  if (isRedirect(status) && location) parts.push(`redirects to ${withoutQuery(location)}`);
  if (lacks !== '') parts.push(lacks);
  if (isPage(text, contentType)) parts.push('a web page');
  else if (text !== undefined && text.trim() === '') parts.push('an empty body');
  else if (text !== undefined) parts.push(JSON.stringify(text.trim().slice(0, SHOWN_CHARS_MAX)));
  return parts.join(', ');
}

/** The query may contain a secret. */
function withoutQuery(location: string): string {
  return location.replace(/[?#].*$/, '');
}

/** Whether the HTTP status is a redirect, which no client follows: it may lead to another server. */
export function isRedirect(status: number): boolean {
  return status >= 300 && status < 400 && status !== 304;
}

/** Whether the answer is HTML, by its content type or its beginning. */
export function isPage(text: string | undefined, contentType?: string | null): boolean {
  if (/^\s*(?:<\?xml[^>]*>\s*)?(?:<!--[^]*?-->\s*)?<(?:!doctype html|html)\b/i.test(text ?? '')) {
    return true;
  }
  return (text === undefined || text.trim() !== '') && /^text\/html\b/i.test(contentType ?? '');
}

/** The name of the root element of a complete XML document; undefined for anything else. */
export function rootOfXML(text: string): string | undefined {
  const [, name, attributes = ''] =
    /^\uFEFF?\s*(?:<\?[^]*?\?>\s*|<!--[^]*?-->\s*)*<([A-Za-z_][\w.-]*)(\s[^<>]*|\/)?>/.exec(text) ??
    [];
  if (name === undefined) return undefined;
  const isWhole = attributes.endsWith('/') || text.trimEnd().endsWith(`</${name}>`);
  return isWhole ? name : undefined;
}
