/** One request to a service that waits for heartbeats or notifications. */

import type { Secret } from '@sluice/core/backend';

/** Such services answer quickly or not at all. */
const ANSWER_MS_MAX = 10_000;

export interface Outgoing {
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Throws if there is no answer in time, or if it is not a success. The message has no part of the URL but its origin. */
export async function send(url: Secret, outgoing: Outgoing, signal: AbortSignal): Promise<void> {
  const response = await fetch(url.reveal(), {
    ...outgoing,
    // A redirected POST would become a GET.
    redirect: outgoing.method === 'POST' ? 'manual' : 'follow',
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)]),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`the answer is ${response.status} ${response.statusText}`);
}

/** "https://hc-ping.com": the rest is a secret. */
export function originOf(url: Secret): string {
  return new URL(url.reveal()).origin;
}

/** The reason for a failed `fetch` is in its cause. */
export function reasonOf(error: unknown): string {
  const { cause, message } = error as { readonly cause?: unknown; readonly message?: unknown };
  return cause instanceof Error && cause.message !== '' ? cause.message : String(message);
}
