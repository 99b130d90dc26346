/** One request in the server, and its response. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { element, xmlDocument } from './xml.ts';
import type { ActiveFault } from './faults.ts';
import type { OpenRequest } from './log.ts';
import type { Settings } from './options.ts';
import type { Target } from './request.ts';
import type { Body, Bucket } from './store.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: Target;
  readonly bucket: Bucket;
  readonly entry: OpenRequest;
  readonly settings: Settings;
  readonly fault: ActiveFault | undefined;
  /** Keys that DeleteObject and DeleteObjects refuse: AccessDenied. */
  readonly protectedKeys: ReadonlySet<string>;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | { readonly of: Body; readonly start: number; readonly end: number };
}

export function xmlAnswer(root: string, inner: string): Answer {
  return {
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: xmlDocument(
      `<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inner}</${root}>`,
    ),
  };
}

/** `<name>inner</name>`, for `inner` that is already XML. */
export function wrap(name: string, ...inner: readonly string[]): string {
  return `<${name}>${inner.join('')}</${name}>`;
}

export { element };
