/** Has a process of its own look into files (examine-worker.ts). */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Examined } from '../config/examine.ts';

/** A disk that hangs must not hold up the other directories for ever. */
const EXAMINE_MS_MAX = 60_000;

/** Throws if the process ends without an answer. */
export async function examineElsewhere(files: readonly string[]): Promise<readonly Examined[]> {
  if (files.length === 0) return [];
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const script = fileURLToPath(new URL(`./examine-worker.${extension}`, import.meta.url));
  const child = fork(script, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], execArgv: [] });
  const limit = setTimeout(() => child.kill('SIGKILL'), EXAMINE_MS_MAX);
  try {
    const answered = once(child, 'message') as Promise<[readonly Examined[]]>;
    const exited = once(child, 'exit').then(([code]) => {
      throw new Error(`the process that looks into new files ended with ${String(code)}`);
    });
    exited.catch(() => undefined);
    child.send([...files]);
    const [results] = await Promise.race([answered, exited]);
    return results;
  } finally {
    clearTimeout(limit);
    child.kill('SIGKILL');
  }
}
