/** Calls to the process that replicates, from the request to the answer. */

import { ReplicationError, type DurableFailure } from '../error.ts';
import type { HostCall } from './messages.ts';

interface Waiting {
  readonly call: HostCall;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Calls that were sent and have no answer yet. */
export class SentCalls {
  readonly #waiting = new Map<number, Waiting>();
  #lastID = 0;

  add(call: HostCall): { readonly id: number; readonly answer: Promise<unknown> } {
    const id = ++this.#lastID;
    const { promise: answer, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, { call, resolve, reject });
    return { id, answer };
  }

  resolve(id: number, answer: unknown): void {
    this.#take(id)?.resolve(answer);
  }

  reject(id: number, error: Error): void {
    this.#take(id)?.reject(error);
  }

  /** The process has ended. Whether a commit was in a file of it is not known any more. */
  interrupt(how: string): void {
    for (const { call, reject } of this.#waiting.values()) reject(interrupted(call, how));
    this.#waiting.clear();
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}

function interrupted(call: HostCall, how: string): ReplicationError {
  const what = `the process that replicates ended (${how})`;
  if (call.method === 'status') return notRunning(`read the status of ${call.path}: ${what}`);
  if (call.method === 'reseed') {
    return notRunning(`reseed ${call.destination} of ${call.path}: ${what}; try again`);
  }
  return notDurable(
    call.path,
    'interrupted',
    `${what}; read the commit in the database, then wait again`,
  );
}

/** NOT_DURABLE, without knowledge of any destination. */
export function notDurable(
  path: string,
  reason: DurableFailure['reason'],
  why: string,
  cause?: unknown,
): ReplicationError {
  const durable = { reason, txid: undefined, have: [], lack: [] };
  const message = `wait until the last commit of ${path} is durable: ${why}`;
  return new ReplicationError('NOT_DURABLE', message, { durable, cause });
}

export function notRunning(message: string): ReplicationError {
  return new ReplicationError('NOT_RUNNING', message);
}
