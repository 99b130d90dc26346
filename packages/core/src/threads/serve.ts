/** The worker's side of a `Thread`: answers calls and emits events. */

import { parentPort, type Transferable } from 'node:worker_threads';
import { assert } from '../error.ts';
import { toFailure } from './failure.ts';
import type { CallMessage, ReplyMessage, Service } from './thread.ts';

/** An answer with memory that is transferred instead of copied. */
export class Transferred<Answer> {
  readonly answer: Answer;
  readonly memory: readonly Transferable[];

  constructor(answer: Answer, memory: readonly Transferable[]) {
    this.answer = answer;
    this.memory = memory;
  }
}

export type Handlers<Calls extends Service<Calls>> = {
  readonly [Method in keyof Calls]: (
    request: Calls[Method]['request'],
  ) =>
    | Calls[Method]['answer']
    | Transferred<Calls[Method]['answer']>
    | Promise<Calls[Method]['answer']>;
};

/** Starts to answer calls. Returns a function that sends events. */
export function serve<Calls extends Service<Calls>>(
  handlers: Handlers<Calls>,
): (event: unknown) => void {
  assert(parentPort !== null, 'this file runs in a thread');
  const port = parentPort;
  const post = (reply: ReplyMessage, memory: readonly Transferable[] = []): void =>
    port.postMessage(reply, memory);

  port.on('message', ({ id, method, request }: CallMessage) => {
    const handler = handlers[method as keyof Calls];
    if (id === undefined) {
      void handler(request); // an error ends the thread
      return;
    }
    const answered = (answer: unknown): void => {
      if (answer instanceof Transferred)
        post({ kind: 'answer', id, answer: answer.answer }, answer.memory);
      else post({ kind: 'answer', id, answer });
    };
    const failed = (error: unknown): void =>
      post({ kind: 'failure', id, failure: toFailure(error) });
    try {
      const answer: unknown = handler(request);
      if (answer instanceof Promise) answer.then(answered, failed);
      else answered(answer);
    } catch (error) {
      failed(error);
    }
  });
  return (event) => post({ kind: 'event', event });
}
