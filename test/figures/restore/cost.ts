/** What a whole process costs: wall-clock time, processor time, peak memory. */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';

export interface Cost {
  readonly wallMs: number;
  /** User and system time of the process and its children. */
  readonly cpuMs: number;
  readonly peakMiB: number;
}

const MEMORY_POLL_MS = 10;

/** The command as a child of a shell, which prints the processor time of its children at the end. */
export async function measure(
  command: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Cost> {
  const started = performance.now();
  const script = '"$@" >/dev/null 2>&1 & wait $!; code=$?; times; exit $code';
  const shell = spawn('sh', ['-c', script, 'sh', ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  });
  let text = '';
  shell.stdout.setEncoding('utf8').on('data', (data: string) => (text += data));
  let peakMiB = 0;
  const poll = setInterval(() => {
    peakMiB = Math.max(peakMiB, peakOfChildren(shell.pid ?? 0));
  }, MEMORY_POLL_MS);
  const code = await new Promise((resolve) => shell.once('close', resolve));
  clearInterval(poll);
  const wallMs = performance.now() - started;
  if (code !== 0) throw new Error(`${command.join(' ')} exited with ${String(code)}`);
  const [, children = ''] = text.trim().split('\n');
  const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, rest]) => Number(minutes) * 60 + Number(rest),
  );
  return { wallMs, cpuMs: 1000 * seconds.reduce((a, b) => a + b, 0), peakMiB };
}

/** The median of each figure. */
export function medianOf(costs: readonly Cost[]): Cost {
  const of = (pick: (cost: Cost) => number): number => median(costs.map(pick));
  return {
    wallMs: of((cost) => cost.wallMs),
    cpuMs: of((cost) => cost.cpuMs),
    peakMiB: of((cost) => cost.peakMiB),
  };
}

export function sha256(file: string): string {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(4 * 1024 * 1024);
  const descriptor = fs.openSync(file, 'r');
  for (let read = -1; read !== 0;) {
    read = fs.readSync(descriptor, buffer);
    hash.update(buffer.subarray(0, read));
  }
  fs.closeSync(descriptor);
  return hash.digest('hex');
}

function peakOfChildren(pid: number): number {
  try {
    const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return Math.max(...children.split(' ').map((child) => peakOf(Number(child))));
  } catch {
    return 0; // it has just ended
  }
}

function peakOf(pid: number): number {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
