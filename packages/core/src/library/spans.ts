/** OpenTelemetry spans of the work in tracing.ts, if @opentelemetry/api can be loaded. */

import type { Span } from '@opentelemetry/api';
import { messageOf } from '../error.ts';
import { CHANNELS, TRACED, type TraceContext, type Traced } from '../tracing.ts';
import { loadAPI, SCOPE, type API } from './telemetry.ts';

/** Makes spans until the returned function is called. Does nothing if OpenTelemetry is not installed. */
export async function traceSpans(): Promise<() => void> {
  const api = await loadAPI();
  if (api === undefined) return () => undefined;
  const ends = TRACED.map((what) => subscribe(api, what));
  return () => {
    for (const end of ends) end();
  };
}

function subscribe(api: API, what: Traced): () => void {
  const spans = new WeakMap<object, Span>();
  const handlers = {
    start: (context: object) => {
      const attributes = toAttributes(context as TraceContext);
      spans.set(context, api.trace.getTracer(SCOPE).startSpan(`sluice.${what}`, { attributes }));
    },
    end: () => undefined,
    asyncStart: () => undefined,
    asyncEnd: (context: object) => spans.get(context)?.end(),
    error: (context: object) => {
      const { error } = context as { readonly error?: unknown };
      const message = messageOf(error);
      spans.get(context)?.setStatus({ code: api.SpanStatusCode.ERROR, message });
    },
  };
  CHANNELS[what].subscribe(handlers);
  return () => CHANNELS[what].unsubscribe(handlers);
}

function toAttributes(context: TraceContext): Record<string, string | number> {
  const given = Object.entries(context).flatMap(([name, value]) =>
    value === undefined ? [] : [[`sluice.${name}`, value] as const],
  );
  return Object.fromEntries(given);
}
