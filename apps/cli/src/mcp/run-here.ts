/**
 * Runs a command of this tool in a process of its own: what it prints does not reach the protocol on our stdout, its
 * memory is freed, and a client that gives up ends it.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../shell.ts';

export interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** More than any answer that a model can read. */
const OUTPUT_CHARACTERS_MAX: number = 16 * 1024 * 1024;
/** A command that was told to end cleans up; then it is killed. */
const END_MS_MAX = 10_000;

/** Rejects with the reason of the signal, when the process has ended. */
export async function runHere(
  words: readonly string[],
  { environment, signal }: { readonly environment: Environment; readonly signal: AbortSignal },
): Promise<Printed> {
  signal.throwIfAborted();
  const main = fileURLToPath(
    new URL(`../main${path.extname(fileURLToPath(import.meta.url))}`, import.meta.url),
  );
  const child = spawn(process.execPath, [main, ...words], {
    env: { ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    child.kill('SIGTERM');
    timer ??= setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
  };
  signal.addEventListener('abort', end, { once: true });
  try {
    const read = async (stream: NodeJS.ReadableStream): Promise<string> => {
      let text = '';
      for await (const chunk of stream.setEncoding('utf8')) {
        text += String(chunk);
        if (text.length > OUTPUT_CHARACTERS_MAX) end();
      }
      return text;
    };
    const [stdout, stderr, [code]] = await Promise.all([
      read(child.stdout),
      read(child.stderr),
      closed as Promise<[number | null]>,
    ]);
    signal.throwIfAborted();
    return { code: code ?? 1, stdout, stderr };
  } finally {
    signal.removeEventListener('abort', end);
    clearTimeout(timer);
  }
}
