/** The threads of one restore. Portions are given out in order, each to the first thread that is free. */

import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { ReplicationError } from '../error.ts';
import type { Done, Setting, Work } from './messages.ts';

type Answer = Exclude<Done, { kind: 'failed' }>;

interface Member {
  readonly worker: Worker;
  finish: ((done: Done) => void) | undefined;
  fail: ((error: unknown) => void) | undefined;
}

export class Crew {
  readonly #members: Member[];
  readonly #free: Member[];
  readonly #waiting: ((member: Member) => void)[] = [];

  constructor(count: number, setting: Setting) {
    const file = new URL(`./worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url);
    this.#members = Array.from({ length: count }, () => {
      const worker = new Worker(file);
      const member: Member = { worker, finish: undefined, fail: undefined };
      worker.on('message', (done: Done) => member.finish?.(done));
      worker.on('error', (error) => member.fail?.(error));
      worker.postMessage({ kind: 'set', setting } satisfies Work);
      return member;
    });
    this.#free = [...this.#members];
  }

  /** Resolves with a thread that is free: ask for it before you fetch the next portion's bytes. */
  async take(): Promise<(work: Exclude<Work, { kind: 'set' }>) => Promise<Answer>> {
    const member = this.#free.pop() ?? (await new Promise<Member>((r) => this.#waiting.push(r)));
    return async (work) => {
      try {
        return await this.#run(member, work);
      } finally {
        const next = this.#waiting.shift();
        if (next === undefined) this.#free.push(member);
        else next(member);
      }
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map(({ worker }) => worker.terminate()));
  }

  async #run(member: Member, work: Exclude<Work, { kind: 'set' }>): Promise<Answer> {
    const done = await new Promise<Done>((resolve, reject) => {
      member.finish = resolve;
      member.fail = reject;
      member.worker.postMessage(work, transfersOf(work));
    });
    if (done.kind !== 'failed') return done;
    throw done.code === undefined
      ? new Error(done.message)
      : new ReplicationError(done.code, done.message);
  }
}

function transfersOf(work: Exclude<Work, { kind: 'set' }>): ArrayBuffer[] {
  const all = work.kind === 'range' ? [work.bytes] : work.files.map((file) => file.bytes);
  return all.map((bytes) => bytes.buffer as ArrayBuffer);
}
