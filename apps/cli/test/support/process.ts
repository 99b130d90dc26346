/** Runs the command line tool as a process. */

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, onTestFinished } from 'vitest';
import { checkOutput } from './json-output.ts';

export const CLI = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Where the processes of a test file make their control sockets. */
export const RUNTIME_FOLDER = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-run-'));
afterAll(() => fs.rmSync(RUNTIME_FOLDER, { recursive: true, force: true }));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class CLIProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<Ended>;
  readonly #waiting = new Set<() => void>();
  #stdout = '';
  #stderr = '';
  #hasEnded = false;

  constructor(words: readonly string[], environment: NodeJS.ProcessEnv = {}, folder?: string) {
    this.#child = spawn(process.execPath, [CLI, ...words], {
      cwd: folder,
      env: {
        ...process.env,
        LOG_LEVEL: '',
        XDG_RUNTIME_DIR: RUNTIME_FOLDER,
        ...environment,
      },
      detached: true, // its own process group, so that signals to it do not reach the test
    });
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.#stdout += chunk.toString();
      for (const look of this.#waiting) look();
    });
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
      for (const look of this.#waiting) look();
    });
    // `close`, not `exit`: its last output may arrive after the exit.
    this.#ended = once(this.#child, 'close').then(([code, signal]) => {
      this.#hasEnded = true;
      for (const look of this.#waiting) look();
      return {
        code: code as number | null,
        signal: signal as NodeJS.Signals | null,
        stdout: this.#stdout,
        stderr: this.#stderr,
      };
    });
    onTestFinished(() => void this.#child.kill('SIGKILL'));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends a signal to all processes of its group, like a terminal. */
  killGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  /** Closes the reading end of its output. */
  closeReader(of: 'stdout' | 'stderr'): void {
    this.#child[of].destroy();
  }

  /** Resolves when its output on either stream matches. Rejects if it ends before. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    return await new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr);
        if (match !== null) resolve(match);
        else if (!this.#hasEnded) return;
        else reject(new Error(`it ended without ${pattern}:\n${this.#stdout}${this.#stderr}`));
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  async ended(): Promise<Ended> {
    return await this.#ended;
  }
}

/** Runs the tool until it ends. */
export async function runProcess(
  words: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const ended = await new CLIProcess(words, environment).ended();
  checkOutput(words, ended.stdout);
  return ended;
}
