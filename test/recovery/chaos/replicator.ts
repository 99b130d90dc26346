/** `sluice replicate` as a process, and measurements of it that survive its kill. */

import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ended, kill } from '../kill-loop/children.ts';

export const CLI: string = fileURLToPath(
  new URL('../../../apps/cli/dist/main.js', import.meta.url),
);
const COUNTER = pathToFileURL(path.join(import.meta.dirname, 'count-requests.mjs')).href;
const SAMPLE_EVERY_MS = 250;
const SNAPSHOT_INSTEAD =
  /taking a full snapshot|a full snapshot will be sent|will get a full snapshot instead/;
/** Snapshots that are being sent, one at a time. */
const SNAPSHOT_LEVEL = '9';
/** Longer than its final sync may take. */
const STOP_MS_MAX = 90_000;

export interface ReplicatorFiles {
  readonly configuration: string;
  readonly staging: string;
  readonly log: string;
  readonly requests: string;
}

export class ChaosReplicator {
  readonly #files: ReplicatorFiles;
  #child: ChildProcess | undefined;
  #sampling: NodeJS.Timeout | undefined;
  readonly #endings: string[] = [];
  starts = 0;
  /** Time of the last start. */
  startedAt = 0;
  /** Maximum resident memory of any run. */
  residentBytesMax = 0;
  /** Maximum size of all staged files but the largest, without a snapshot that is being sent. */
  stagedBytesMax = 0;

  constructor(files: ReplicatorFiles) {
    this.#files = files;
  }

  /** How runs ended that nobody ended, since the last call. */
  takeProblems(): string[] {
    return this.#endings.splice(0);
  }

  start(): void {
    const { configuration, log, requests } = this.#files;
    const output = fs.openSync(log, 'a');
    const words = ['--import', COUNTER, CLI, 'replicate', '-config', configuration];
    const child = spawn(process.execPath, words, {
      env: { ...process.env, LOG_LEVEL: '', SLUICE_CHAOS_REQUESTS: requests },
      stdio: ['ignore', output, output],
    });
    fs.closeSync(output);
    this.#child = child;
    this.starts += 1;
    this.startedAt = performance.now();
    child.on('exit', (code) => {
      if (this.#child !== child) return;
      this.#endings.push(`the replicator ended with exit code ${code}`);
    });
    this.#sampling = setInterval(() => this.#sample(child.pid ?? 0), SAMPLE_EVERY_MS);
  }

  async kill(): Promise<void> {
    await kill(this.#release());
  }

  /** Ends it as an operator does. Returns the problem, if any. */
  async stop(): Promise<string | undefined> {
    const child = this.#release();
    if (child === undefined) return 'the replicator does not run';
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    const code = await ended(child);
    clearTimeout(timer);
    if (code === 0) return undefined;
    return code === undefined
      ? `the replicator had not stopped after ${STOP_MS_MAX} ms`
      : `the replicator stopped with exit code ${code}`;
  }

  /** HTTP requests of all runs. */
  requestsTo(port: number): { readonly writes: number; readonly others: number } {
    const { requests } = this.#files;
    const lines = fs.existsSync(requests) ? fs.readFileSync(requests, 'utf8').split('\n') : [];
    const methods = lines.flatMap((line) => {
      const [, method = '', to] = line.split(' ');
      return Number(to) === port ? [method] : [];
    });
    const writes = methods.filter((method) => method === 'PUT' || method === 'POST').length;
    return { writes, others: methods.length - writes };
  }

  /** Log lines of all runs that have one of these levels. */
  logged(...levels: readonly ('WARN' | 'ERROR')[]): string[] {
    return this.#lines().filter((line) => levels.some((level) => line.includes(`level=${level} `)));
  }

  /** Number of full snapshots, after the first, that took the place of increments. */
  laterSnapshots(): number {
    return Math.max(0, this.#lines().filter((line) => SNAPSHOT_INSTEAD.test(line)).length - 1);
  }

  #lines(): string[] {
    const { log } = this.#files;
    return fs.existsSync(log) ? fs.readFileSync(log, 'utf8').split('\n') : [];
  }

  #release(): ChildProcess | undefined {
    const child = this.#child;
    this.#child = undefined;
    clearInterval(this.#sampling);
    if (child?.pid !== undefined) this.#sample(child.pid);
    return child;
  }

  #sample(pid: number): void {
    this.residentBytesMax = Math.max(this.residentBytesMax, peakBytesOf(pid));
    const folder = path.join(this.#files.staging, 'ltx');
    const sizes = sizesIn(folder, (name) => name !== SNAPSHOT_LEVEL);
    const sum = sizes.reduce((total, size) => total + size, 0);
    // The largest file may be one that is being written, which comes on top of what may be kept.
    this.stagedBytesMax = Math.max(this.stagedBytesMax, sum - Math.max(0, ...sizes));
  }
}

/** Peak resident memory of a process; 0 if it has ended. */
function peakBytesOf(pid: number): number {
  const status = ifThere(() => fs.readFileSync(`/proc/${pid}/status`, 'utf8')) ?? '';
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/** Sizes of all files in the named folders of a folder. Files come and go meanwhile. */
function sizesIn(folder: string, isCounted: (name: string) => boolean): number[] {
  const levels = (ifThere(() => fs.readdirSync(folder)) ?? []).filter(isCounted);
  return levels.flatMap((level) => {
    const names = ifThere(() => fs.readdirSync(path.join(folder, level))) ?? [];
    return names.map(
      (name) => ifThere(() => fs.statSync(path.join(folder, level, name)).size) ?? 0,
    );
  });
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
