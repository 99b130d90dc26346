/** Another process at the same place: to be killed, or to see what is left when this one is gone. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import type { Elsewhere } from './subject.ts';

/** `write` and `write-half` hang when they have said so; the others end by themselves. */
export type Act = 'look' | 'write' | 'write-half' | 'close';

export interface Order extends Elsewhere {
  readonly act: Act;
  /** Of the replica, at the destination that the input gives. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly seed: number;
}

/** A file as another process sees it. */
export interface Seen {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export class OtherProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;
  readonly #errors: string[] = [];

  constructor(order: Order) {
    const file = new URL(
      `./other-process${extname(fileURLToPath(import.meta.url))}`,
      import.meta.url,
    );
    const args = [
      '--disable-warning=ExperimentalWarning',
      fileURLToPath(file),
      JSON.stringify(order),
    ];
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#exited = once(this.#child, 'exit');
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#errors.push(text));
  }

  /** What it says first. Rejects with its errors when it ends in silence. */
  async said(): Promise<unknown> {
    if (this.#child.stdout === null) throw new Error('the other process has no output');
    for await (const line of createInterface({ input: this.#child.stdout }))
      return JSON.parse(line);
    await this.#exited;
    throw new Error(`the other process said nothing: ${this.#errors.join('').trim()}`);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Its exit code, or undefined if it does not end by itself within `ms`. */
  async ended(ms: number): Promise<number | undefined> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), ms);
    const code = await Promise.race([this.#exited.then(() => this.#child.exitCode ?? -1), promise]);
    clearTimeout(timer);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** What a new process finds at a place. */
export async function lookElsewhere(elsewhere: Elsewhere, path: string): Promise<Seen[]> {
  await using other = new OtherProcess({ ...elsewhere, act: 'look', path, sizeBytes: 0, seed: 0 });
  return (await other.said()) as Seen[];
}
