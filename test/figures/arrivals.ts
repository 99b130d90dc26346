/** Times from the return of a commit to its whole file at a destination. */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeHeader, HEADER_SIZE_BYTES, parseFilename } from '@sluice/core/ltx';
import type { RunningS3 } from '../servers/s3/index.ts';

export interface Lag {
  /** When the commit returned, in the time of `performance`. */
  readonly at: number;
  readonly ms: number;
}

interface Commit {
  /** Wall clock time, like the timestamps of files. */
  readonly wallMs: number;
  readonly at: number;
}

/** Of one destination. The file of a commit is the first one with a later time in its header. */
export class Arrivals {
  readonly lags: Lag[] = [];
  #waiting: Commit[] = [];
  #allArrived: () => void = () => undefined;

  /** Records a commit that has just returned. */
  expect(): void {
    this.#waiting.push({ wallMs: Date.now(), at: performance.now() });
  }

  /** Resolves when all commits have arrived. After `timeoutMs` those that are missing count as arrived. */
  async all({ timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    if (this.#waiting.length === 0) return;
    const arrived = new Promise<void>((resolve) => (this.#allArrived = resolve));
    const stop = new AbortController();
    const late = sleep(timeoutMs, undefined, { signal: stop.signal }).catch(() => undefined);
    await Promise.race([arrived, late]);
    stop.abort();
    this.#record(performance.now(), this.#waiting.splice(0));
  }

  /** Watches the folder of a level, from now until the returned function is called. */
  watchFolder(level: string): () => void {
    const known = new Set(fs.readdirSync(level));
    const watcher = fs.watch(level, (_, name) => {
      if (name === null || parseFilename(name) === undefined || known.has(name)) return;
      known.add(name);
      this.#arrived(performance.now(), fs.readFileSync(path.join(level, name)));
    });
    return () => watcher.close();
  }

  /** Watches a level of a destination on S3. `prefix` is that of its keys. */
  watchS3(server: RunningS3, prefix: string): () => void {
    const known = new Set(server.raw.keys());
    let isStopped = false;
    void server.requests.until(() => {
      const at = performance.now();
      for (const key of isStopped ? [] : server.raw.keys()) {
        if (known.has(key)) continue;
        known.add(key);
        const object = key.startsWith(prefix) ? server.raw.get(key) : undefined;
        if (object !== undefined) this.#arrived(at, object.bytes);
      }
      return isStopped;
    });
    return () => {
      isStopped = true;
    };
  }

  #arrived(at: number, bytes: Uint8Array): void {
    const { timestampMs } = decodeHeader(bytes.subarray(0, HEADER_SIZE_BYTES));
    const here = this.#waiting.filter(({ wallMs }) => wallMs <= timestampMs);
    this.#waiting = this.#waiting.filter(({ wallMs }) => wallMs > timestampMs);
    this.#record(at, here);
    if (this.#waiting.length === 0) this.#allArrived();
  }

  #record(at: number, commits: readonly Commit[]): void {
    this.lags.push(...commits.map((commit) => ({ at: commit.at, ms: at - commit.at })));
  }
}
