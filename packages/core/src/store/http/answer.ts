/**
 * Whether an answer is the provider's own. Login pages, proxies, consoles and caches answer 200 to
 * whatever they are asked. So a status alone proves nothing: an answer counts when it is in the form
 * that only the provider gives it.
 */

import { ReplicationError, type ErrorCode } from '../../error.ts';
import { codeOfStatus } from './refusal.ts';

/** What came instead of the provider's answer. */
export interface ForeignAnswer {
  readonly status: number;
  /** Of the body: the beginning is enough. */
  readonly text?: string | undefined;
  readonly contentType?: string | null | undefined;
  /** Where it wants us to go. */
  readonly location?: string | null | undefined;
  /** What the provider's own has: "no ETag". '' where the body says it all. */
  readonly lacks: string;
}

/** Thrown where an answer is looked at; gets its message where it is known what was asked. */
export class ForeignAnswerError extends Error {
  readonly answer: ForeignAnswer;

  constructor(answer: ForeignAnswer) {
    super(describeAnswer(answer));
    this.name = 'ForeignAnswerError';
    this.answer = answer;
  }
}

/** `provider` is "an S3 server". Worth another try: a login page or a proxy is gone some time. */
export function errorOfForeignAnswer(
  { answer, message }: ForeignAnswerError,
  { what, provider }: { readonly what: string; readonly provider: string },
): ReplicationError {
  // Its status is not kept: it is not the provider's, and says nothing of an object or an upload.
  const text = `${what}: this does not look like ${provider}: ${message}; ${nextStep(answer)}`;
  return new ReplicationError(codeOfForeign(answer.status), text);
}

function nextStep({ text = '' }: ForeignAnswer): string {
  return /HTTP request (?:was sent )?to (?:an )?HTTPS/i.test(text)
    ? 'write https:// in endpoint'
    : 'check endpoint, and whether a proxy or a login page answers in its place';
}

function codeOfForeign(status: number): ErrorCode {
  const code = codeOfStatus(status);
  return code === 'REPLICA_RATE_LIMITED' ? code : 'REPLICA_UNAVAILABLE';
}

/** Enough of a body to see what it is. */
const SHOWN_CHARS_MAX = 60;

function describeAnswer({ status, text, contentType, location, lacks }: ForeignAnswer): string {
  const said: string[] = [`status ${status}`];
  if (isRedirect(status) && location) said.push(`sends us to ${placeOf(location)}`);
  if (lacks !== '') said.push(lacks);
  if (isPage(text, contentType)) said.push('a web page');
  else if (text !== undefined && text.trim() === '') said.push('an empty body');
  else if (text !== undefined) said.push(JSON.stringify(text.trim().slice(0, SHOWN_CHARS_MAX)));
  return said.join(', ');
}

/** Its query may hold what nobody else is to see. */
function placeOf(location: string): string {
  return location.replace(/[?#].*$/, '');
}

export function isRedirect(status: number): boolean {
  return status >= 300 && status < 400 && status !== 304;
}

/** HTML, by what the answer says of itself or by how it begins. */
export function isPage(text: string | undefined, contentType?: string | null): boolean {
  if (/^\s*(?:<\?xml[^>]*>\s*)?(?:<!--[^]*?-->\s*)?<(?:!doctype html|html)\b/i.test(text ?? '')) {
    return true;
  }
  return (text === undefined || text.trim() !== '') && /^text\/html\b/i.test(contentType ?? '');
}

/** The name of a whole XML document's root; undefined for what is no such document. */
export function rootOfXML(text: string): string | undefined {
  const [, name, attributes = ''] =
    /^\uFEFF?\s*(?:<\?[^]*?\?>\s*|<!--[^]*?-->\s*)*<([A-Za-z_][\w.-]*)(\s[^<>]*|\/)?>/.exec(text) ??
    [];
  if (name === undefined) return undefined;
  const isWhole = attributes.endsWith('/') || text.trimEnd().endsWith(`</${name}>`);
  return isWhole ? name : undefined;
}
