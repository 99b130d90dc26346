/** A child process that uses the same destination: to be killed, or to list the files independently. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import type { OtherProcessConfig } from './subject.ts';

/** `write` and `write-half` send a message and then hang until they are killed; the others exit. */
export type Action = 'list' | 'write' | 'write-half' | 'close';

export interface Task extends OtherProcessConfig {
  readonly action: Action;
  /** Path of the replica at the destination. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly seed: number;
}

/** A file as listed and read by the child process. */
export interface ListedFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export class OtherProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;
  readonly #errors: string[] = [];

  constructor(task: Task) {
    const file = new URL(
      `./other-process-main${extname(fileURLToPath(import.meta.url))}`,
      import.meta.url,
    );
    const args = [
      '--disable-warning=ExperimentalWarning',
      fileURLToPath(file),
      JSON.stringify(task),
    ];
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#exited = once(this.#child, 'exit');
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#errors.push(text));
  }

  /** The first message of the child process. Rejects with its stderr if it exits without one. */
  async firstMessage(): Promise<unknown> {
    if (this.#child.stdout === null) throw new Error('the child process has no output');
    for await (const line of createInterface({ input: this.#child.stdout }))
      return JSON.parse(line);
    await this.#exited;
    throw new Error(`the child process exited without a message: ${this.#errors.join('').trim()}`);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** The exit code, or undefined if the process is still running after `timeoutMs`. */
  async waitForExit(timeoutMs: number): Promise<number | undefined> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), timeoutMs);
    const code = await Promise.race([this.#exited.then(() => this.#child.exitCode ?? -1), promise]);
    clearTimeout(timer);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** Lists the files of a replica in a new process. */
export async function listInOtherProcess(
  config: OtherProcessConfig,
  path: string,
): Promise<ListedFile[]> {
  await using other = new OtherProcess({ ...config, action: 'list', path, sizeBytes: 0, seed: 0 });
  return (await other.firstMessage()) as ListedFile[];
}
