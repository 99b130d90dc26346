/**
 * Work that tools for observation can follow: tracing channels of node:diagnostics_channel, which cost nothing without
 * subscribers. `library/spans.ts` makes OpenTelemetry spans of them.
 *
 *  sluice:sync        one file is sent to one destination
 *  sluice:compaction  staged files are merged into one file of a level
 *  sluice:restore     a database is restored
 *
 * Nothing in a context comes from rows, and nothing is a secret.
 */

import { tracingChannel, type TracingChannel } from 'node:diagnostics_channel';

export const TRACED = ['sync', 'compaction', 'restore'] as const;
export type Traced = (typeof TRACED)[number];

/** What the work is about. Becomes the attributes of a span. */
export type TraceContext = Readonly<Record<string, string | number | undefined>>;

type Channel = TracingChannel<string, TraceContext>;

export const CHANNELS: Readonly<Record<Traced, Channel>> = {
  sync: tracingChannel('sluice:sync'),
  compaction: tracingChannel('sluice:compaction'),
  restore: tracingChannel('sluice:restore'),
};

/** Runs `work`, and tells the subscribers of its channel when it begins and how it ends. */
export async function traced<Result>(
  what: Traced,
  context: TraceContext,
  work: () => Promise<Result>,
): Promise<Result> {
  const channel = CHANNELS[what];
  return channel.hasSubscribers ? await channel.tracePromise(work, context) : await work();
}
