/** Asks the application for the credentials of destinations. */

import { ReplicationError } from '../../error.ts';
import type { FromHost } from '../messages.ts';

/** A function that takes longer has forgotten to answer. */
const ANSWER_MS_MAX = 60_000;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly fail: (why: string) => void;
}

export class Credentials {
  readonly #send: (message: FromHost) => void;
  readonly #waiting = new Map<number, Waiting>();
  #lastID = 0;
  #isGone = false;

  constructor(send: (message: FromHost) => void) {
    this.#send = send;
  }

  /** REPLICA_UNAUTHENTICATED if the application fails, does not answer, or has ended. */
  async ask(source: number, target: string): Promise<unknown> {
    const id = ++this.#lastID;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const fail = (why: string): void => reject(noCredentials(target, why));
    const why = `it did not answer within ${ANSWER_MS_MAX / 1_000} s`;
    const timer = setTimeout(() => fail(why), ANSWER_MS_MAX);
    this.#waiting.set(id, { resolve, fail });
    if (this.#isGone) fail('it has ended');
    else this.#send({ kind: 'ask', id, source });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  answered(id: number, value: unknown): void {
    this.#waiting.get(id)?.resolve(value);
  }

  failed(id: number, why: string): void {
    this.#waiting.get(id)?.fail(why);
  }

  /** The application has ended. */
  gone(): void {
    this.#isGone = true;
    for (const { fail } of this.#waiting.values()) fail('it has ended');
  }
}

function noCredentials(target: string, why: string): ReplicationError {
  return new ReplicationError(
    'REPLICA_UNAUTHENTICATED',
    `ask the application for the credentials of ${target}: ${why}; check its credentials function`,
  );
}
