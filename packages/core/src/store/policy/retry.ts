/**
 * A client that retries: whole calls, listings from where they broke off, and streams from the byte where
 * they stopped. Only what `planRetry` allows; `onRetry` hears of each retry.
 *
 * An aborted call is refused before its first attempt: with no signal left to stop it, a client might do
 * the work all the same, and the caller would take an object for absent that is there.
 */

import { abortable, linkSignals } from '../abort.ts';
import type { ObjectBody, ObjectInfo, PutOptions, ReplicaClient } from '../client.ts';
import { describeRange } from '../describe.ts';
import { Attempts, silenceError, type RetryPolicy } from './attempts.ts';
import { GRACE_MS } from './checked.ts';
import { describeCall, forward, forwardIf } from './forward.ts';
import { listResumable } from './relist.ts';
import { openResumable } from './resume.ts';
import { WatchedBody } from './watched-body.ts';

export function retry(client: ReplicaClient, policy: RetryPolicy): ReplicaClient {
  const { name } = client;
  return {
    ...forward(client),
    list: (prefix, options) =>
      listResumable(client, prefix, { ...options, what: describeCall.list(name, prefix) }, policy),
    async get(key, options = {}) {
      const what = describeCall.get(name, key + describeRange(options.range));
      return await openResumable((at) => client.get(key, at), what, options, policy);
    },
    put: (key, body, options) => putWithRetry(client, key, body, options ?? {}, policy),
    async delete(keys, options = {}) {
      const what = describeCall.delete(name, keys);
      await callWithRetry(what, policy, options.signal, (signal) =>
        client.delete(keys, { ...options, signal }),
      );
    },
    ...forwardIf(client, 'copy', (copy) => async (from, to, options = {}) => {
      const what = describeCall.copy(name, from, to);
      return await callWithRetry(what, policy, options.signal, (signal) =>
        copy(from, to, { ...options, signal }),
      );
    }),
    ...forwardIf(client, 'openLocal', (open) => async (key, options = {}) => {
      const what = describeCall.get(name, key);
      return await callWithRetry(what, policy, options.signal, (signal) =>
        open(key, { ...options, signal }),
      );
    }),
  };
}

/** Runs `call` until it succeeds or another attempt is not worth it. */
async function callWithRetry<T>(
  what: string,
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const attempts = new Attempts(policy, what, signal);
  for (;;) {
    try {
      return await callOnce(what, policy, signal, call);
    } catch (error) {
      await attempts.afterFailure(error);
    }
  }
}

/** A write whose source fails is over: another attempt would read the same source. */
async function putWithRetry(
  client: ReplicaClient,
  key: string,
  body: ObjectBody,
  options: PutOptions,
  policy: RetryPolicy,
): Promise<ObjectInfo> {
  const what = describeCall.put(client.name, key);
  const attempts = new Attempts(policy, what, options.signal);
  for (;;) {
    let watched: WatchedBody | undefined;
    try {
      return await callOnce(what, policy, options.signal, async (signal, onProgress) => {
        watched = new WatchedBody(body, what, onProgress);
        return await client.put(key, watched, { ...options, signal });
      });
    } catch (error) {
      if (watched?.failure !== undefined) throw watched.failure.error;
      await attempts.afterFailure(error);
    }
  }
}

/**
 * One attempt, as soon as it has a slot. It is aborted when it makes no progress for too long; `onProgress`
 * puts that off. The aborted call has a moment to end by itself, so that it is not repeated beside itself.
 */
async function callOnce<T>(
  what: string,
  { clock, silenceMs, slots }: RetryPolicy,
  signal: AbortSignal | undefined,
  call: (signal: AbortSignal, onProgress: () => void) => Promise<T>,
): Promise<T> {
  const release = await slots.take([signal]);
  const link = linkSignals(signal);
  const late = (): Error => silenceError(what, silenceMs);
  const startTimer = (): (() => void) => clock.after(silenceMs, () => link.abort(late()));
  let stopTimer = startTimer();
  const onProgress = (): void => {
    stopTimer();
    stopTimer = startTimer();
  };
  try {
    // The slot is the attempt's until it has really ended.
    const run = async (): Promise<T> => await call(link.signal, onProgress);
    const work = run().finally(release);
    return await abortable(work, link.signal, { clock, graceMs: GRACE_MS });
  } finally {
    stopTimer();
    link.unlink();
  }
}
