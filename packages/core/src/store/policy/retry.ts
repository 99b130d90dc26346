/**
 * A client that retries calls, and resumes listings and streams where they stopped. `planRetry` decides
 * about retries; `onRetry` is called for each.
 *
 * An aborted call is rejected before its first attempt: a client that ignores the signal might still do the
 * work, and the caller would assume that the object does not exist.
 */

import { abortable, linkSignals } from '../abort.ts';
import type { CallOptions, ObjectBody, ObjectInfo, PutOptions, ReplicaClient } from '../client.ts';
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
      await callWithRetry(what, policy, options, (signal) =>
        client.delete(keys, { ...options, signal }),
      );
    },
    ...forwardIf(client, 'copy', (copy) => async (from, to, options = {}) => {
      const what = describeCall.copy(name, from, to);
      return await callWithRetry(what, policy, options, (signal) =>
        copy(from, to, { ...options, signal }),
      );
    }),
    ...forwardIf(client, 'openLocal', (open) => async (key, options = {}) => {
      const what = describeCall.get(name, key);
      return await callWithRetry(what, policy, options, (signal) =>
        open(key, { ...options, signal }),
      );
    }),
  };
}

/** Runs `call` until it succeeds or `planRetry` gives up. */
async function callWithRetry<T>(
  what: string,
  policy: RetryPolicy,
  { signal, mayBegin }: CallOptions,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const attempts = new Attempts(policy, what, signal);
  const guarded = new Guarded(mayBegin);
  for (;;) {
    try {
      return await callOnce(what, policy, signal, async (linked) => {
        guarded.check();
        return await call(linked);
      });
    } catch (error) {
      guarded.throwIfRefused();
      await attempts.afterFailure(error);
    }
  }
}

/** `mayBegin` of a call. What it throws is not an answer of the server, so the call is not repeated. */
class Guarded {
  readonly #mayBegin: CallOptions['mayBegin'];
  #refusal: { readonly error: unknown } | undefined;

  constructor(mayBegin: CallOptions['mayBegin']) {
    this.#mayBegin = mayBegin;
  }

  check(): void {
    try {
      this.#mayBegin?.();
    } catch (error) {
      this.#refusal = { error };
      throw error;
    }
  }

  throwIfRefused(): void {
    if (this.#refusal !== undefined) throw this.#refusal.error;
  }
}

/** Does not retry if the source fails: another attempt would read the same source. */
async function putWithRetry(
  client: ReplicaClient,
  key: string,
  body: ObjectBody,
  options: PutOptions,
  policy: RetryPolicy,
): Promise<ObjectInfo> {
  const what = describeCall.put(client.name, key);
  const attempts = new Attempts(policy, what, options.signal);
  const guarded = new Guarded(options.mayBegin);
  for (;;) {
    let watched: WatchedBody | undefined;
    try {
      return await callOnce(what, policy, options.signal, async (signal, onProgress) => {
        guarded.check();
        watched = new WatchedBody(body, what, () => {
          guarded.check();
          onProgress();
        });
        return await client.put(key, watched, { ...options, signal });
      });
    } catch (error) {
      guarded.throwIfRefused();
      if (watched?.failure !== undefined) throw watched.failure.error;
      await attempts.afterFailure(error);
    }
  }
}

/**
 * One attempt, as soon as there is a slot. It is aborted if `onProgress` is not called for `silenceMs`. The
 * aborted call has GRACE_MS to end by itself, so that the next attempt does not overlap with it.
 */
async function callOnce<T>(
  what: string,
  { clock, silenceMs, slots }: RetryPolicy,
  signal: AbortSignal | undefined,
  call: (signal: AbortSignal, onProgress: () => void) => Promise<T>,
): Promise<T> {
  const release = await slots.take([signal]);
  const link = linkSignals(signal);
  const timeoutError = (): Error => silenceError(what, silenceMs);
  const startTimer = (): (() => void) => clock.after(silenceMs, () => link.abort(timeoutError()));
  let stopTimer = startTimer();
  const onProgress = (): void => {
    stopTimer();
    stopTimer = startTimer();
  };
  try {
    // The attempt keeps the slot until it has really ended.
    const run = async (): Promise<T> => await call(link.signal, onProgress);
    const work = run().finally(release);
    return await abortable(work, link.signal, { clock, graceMs: GRACE_MS });
  } finally {
    stopTimer();
    link.unlink();
  }
}
