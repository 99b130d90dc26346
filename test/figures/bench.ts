/** What the benchmarks of this folder share: a replicator as a process, and what it costs. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url));

export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly ours: number;
  readonly beside?: Readonly<Record<string, number>>;
  readonly bar?: number;
  readonly lowerIsBetter: boolean;
}

/** Litestream's binary, where it is at hand. */
export const LITESTREAM: string | undefined = process.env['LITESTREAM_BIN'];

export type Kind = 'sluice' | 'litestream';

export interface ReplicatorOptions {
  readonly kind: Kind;
  readonly database: string;
  /** Folders: Litestream takes one. */
  readonly folders: readonly string[];
  readonly extra?: string;
}

export class ReplicatorProcess {
  readonly #child: ChildProcess;
  readonly folders: readonly string[];
  readonly #kind: Kind;

  constructor(options: ReplicatorOptions) {
    const { kind, database, folders, extra = '' } = options;
    this.folders = folders;
    this.#kind = kind;
    const config = `${database}.${kind}.yml`;
    const replicas =
      kind === 'sluice'
        ? `  replicas:\n${folders.map((folder) => `  - path: ${folder}\n`).join('')}`
        : `  replica:\n    type: file\n    path: ${folders[0]}\n`;
    fs.writeFileSync(config, `dbs:\n- path: ${database}\n${extra}${replicas}`);
    const env = { ...process.env };
    delete env['AWS_CA_BUNDLE'];
    const command = kind === 'sluice' ? process.execPath : (LITESTREAM ?? '');
    const args = [...(kind === 'sluice' ? [CLI] : []), 'replicate', '-config', config];
    this.#child = spawn(command, args, { stdio: 'ignore', env });
  }

  /** Resolves when the first snapshot is whole. */
  async ready(): Promise<void> {
    const snapshots = path.join(this.folders[0] ?? '', 'ltx', '9');
    while (
      !fs.existsSync(snapshots) ||
      fs.readdirSync(snapshots).every((name) => !name.endsWith('.ltx'))
    ) {
      if (this.#child.exitCode !== null)
        throw new Error(`${this.#kind} ended with ${this.#child.exitCode}`);
      await sleep(50);
    }
    await sleep(1_500); // levels, first checks: what happens once at a start
  }

  /** User and system time of the process, its threads included, in ms. */
  cpuMs(): number {
    const text = fs.readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10; // in ticks of 10 ms
  }

  rssMiB(): number {
    const text = fs.readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1024;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

export async function inFolder<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-figures-'));
  try {
    return await work(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** What a child tells at its end; an error if it ends without a word. */
export async function answer(child: ChildProcess): Promise<unknown[]> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${child.spawnargs.join(' ')} ended with ${code} and told nothing`);
  });
  return await Promise.race([once(child, 'message'), ended]);
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

export function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}

/** The last line of a benchmark. */
export function print(name: string, rows: readonly Row[], note?: string): void {
  const command = `pnpm bench ${name}`;
  process.stdout.write(`${JSON.stringify({ name, command, ...(note && { note }), rows })}\n`);
}
