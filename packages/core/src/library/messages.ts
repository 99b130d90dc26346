/**
 * The messages between an application and the process that replicates for it.
 *
 * The application sends `start` first, then any number of calls, then `close`. The process answers
 * `started` or `refused`; each call once, by its ID; and `closed` before it ends. It asks for credentials at any
 * time. Messages are sent with structured clone, so that undefined, Infinity and dates arrive.
 */

import type { DatabaseOptions } from '../database/options.ts';
import {
  isError,
  messageOf,
  ReplicationError,
  type ErrorDetails,
  type ErrorCode,
} from '../error.ts';
import type { DurableOptions } from '../replicate/durable/durability.ts';
import type { ForeignReplica } from '../replicate/ownership/standing.ts';
import type { SyncReport } from '../replicate/status/status.ts';
import type { DestinationData } from './destination-data.ts';
import type { SluiceEvent } from './events.ts';

/** One database, and where its commits are sent. */
export interface HostedDatabase {
  readonly options: Partial<DatabaseOptions> & { readonly path: string };
  readonly destinations: readonly HostedDestination[];
}

/** `source`: number of the function that the application has for its credentials. */
export interface HostedDestination extends Omit<DestinationData, 'credentials'> {
  readonly source?: number | undefined;
}

export interface HostOptions {
  readonly databases: readonly HostedDatabase[];
  readonly missing: 'restore' | 'wait';
  readonly foreign: ForeignReplica;
  /** A destination without a success for this long after a failure is given up in the last sync. */
  readonly shutdownSyncTimeoutMs: number;
}

export type HostCall =
  | {
      readonly method: 'durable';
      readonly path: string;
      readonly options: Omit<DurableOptions, 'signal'>;
    }
  | { readonly method: 'status'; readonly path: string }
  | { readonly method: 'reseed'; readonly path: string; readonly destination: string };

export type ToHost =
  | { readonly kind: 'start'; readonly options: HostOptions }
  | { readonly kind: 'call'; readonly id: number; readonly call: HostCall }
  | { readonly kind: 'abort'; readonly id: number }
  | { readonly kind: 'credentials'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'no credentials'; readonly id: number; readonly message: string }
  | { readonly kind: 'close' };

export type FromHost =
  | { readonly kind: 'started' }
  | { readonly kind: 'refused'; readonly failure: HostFailure }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly failure: HostFailure }
  | { readonly kind: 'event'; readonly event: SluiceEvent }
  /** Asks for the credentials of a destination. The answer has the same ID. */
  | { readonly kind: 'ask'; readonly id: number; readonly source: number }
  | { readonly kind: 'crash'; readonly message: string }
  | { readonly kind: 'closed'; readonly report: SyncReport | undefined };

/** An error in a form that can be sent. */
export interface HostFailure extends Pick<ErrorDetails, 'issues' | 'durable'> {
  readonly code: ErrorCode | undefined;
  readonly message: string;
}

export function toHostFailure(error: unknown): HostFailure {
  const message = messageOf(error);
  if (!isError(error)) return { code: undefined, message };
  const { code, issues, durable } = error;
  return { code, message, issues, durable };
}

export function fromHostFailure({ code, message, ...details }: HostFailure): Error {
  return code === undefined ? new Error(message) : new ReplicationError(code, message, details);
}
