/**
 * Restore of a large database from a local folder, beside `cp` and fsync of the result and, where
 * LITESTREAM_BIN names a binary, beside Litestream's restore of the same bucket.
 *
 *   node packages/core/bench/restore.bench.ts [--mib 1024] [--bucket-mib 2048] [--files 100]
 *     [--runs 3] [--folder PATH (kept)] [--only cp,sluice,litestream] [--json]
 *
 * Each is a whole process: wall clock, CPU of it and its children (user + system), peak resident
 * memory. Sluice is the built command line tool.
 */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeBucket } from './restore-bucket.ts';

const MIB = 1024 * 1024;
const CLI = fileURLToPath(new URL('../../../apps/cli/dist/main.js', import.meta.url));
const MEMORY_POLL_MS = 10;

interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly peakMiB: number;
}

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '1024' },
    'bucket-mib': { type: 'string', default: '2048' },
    files: { type: 'string', default: '100' },
    runs: { type: 'string', default: '3' },
    folder: { type: 'string' },
    only: { type: 'string', default: 'cp,sluice,litestream' },
    json: { type: 'boolean', default: false },
  },
});
const shape = {
  databaseBytes: Number(values.mib) * MIB,
  bucketBytes: Number(values['bucket-mib']) * MIB,
  files: Number(values.files),
};
const folder = values.folder ?? fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-restore-bench-'));
try {
  const expected = path.join(folder, 'expected.db');
  if (!fs.existsSync(expected)) makeBucket(folder, shape);
  await main(expected);
} finally {
  if (values.folder === undefined) fs.rmSync(folder, { recursive: true, force: true });
}

async function main(expected: string): Promise<void> {
  const bucket = path.join(folder, 'bucket');
  const output = path.join(folder, 'restored.db');
  const wanted = sha256(expected);
  const contenders: Record<string, readonly string[]> = {
    cp: ['sh', '-c', 'cp "$1" "$2" && sync "$2"', 'sh', expected, output],
    sluice: [process.execPath, CLI, 'restore', '-o', output, `file://${bucket}`],
  };
  const litestream = process.env['LITESTREAM_BIN'];
  if (litestream !== undefined) {
    contenders['litestream'] = [litestream, 'restore', '-o', output, `file://${bucket}`];
  }
  const costs: Record<string, Cost[]> = {};
  const names = Object.keys(contenders).filter((name) => values.only.split(',').includes(name));
  for (let run = 0; run < Number(values.runs); run++) {
    for (const name of names) {
      fs.rmSync(output, { force: true });
      await measure(['sync']); // nobody pays for another's dirty pages
      (costs[name] ??= []).push(await measure(contenders[name] ?? []));
      if (sha256(output) !== wanted) throw new Error(`${name} restored other bytes`);
    }
  }
  fs.rmSync(output, { force: true });
  report(costs, names);
}

function report(costs: Readonly<Record<string, readonly Cost[]>>, names: readonly string[]): void {
  const medians = names.map((name) => {
    const of = (pick: (cost: Cost) => number): number => median((costs[name] ?? []).map(pick));
    const wallMs = of((cost) => cost.wallMs);
    return { name, wallMs, cpuMs: of((cost) => cost.cpuMs), peakMiB: of((cost) => cost.peakMiB) };
  });
  const cpMs = medians.find(({ name }) => name === 'cp')?.wallMs;
  if (values.json) {
    process.stdout.write(`${JSON.stringify(toResult(medians, shape))}\n`);
    return;
  }
  for (const { name, wallMs, cpuMs, peakMiB } of medians) {
    const ratio = cpMs === undefined ? '' : ` = ${(wallMs / cpMs).toFixed(2)} x cp + fsync`;
    const walls = (costs[name] ?? []).map((cost) => (cost.wallMs / 1000).toFixed(2)).join(' ');
    process.stdout.write(
      `${name.padEnd(10)} ${(wallMs / 1000).toFixed(2)} s${ratio}, CPU ${(cpuMs / 1000).toFixed(2)} s, ` +
        `peak ${peakMiB.toFixed(0)} MiB  (${walls})\n`,
    );
  }
}

/** The command as a child of a shell, which tells the CPU time of its children at the end. */
async function measure(command: readonly string[]): Promise<Cost> {
  const started = performance.now();
  const script = '"$@" >/dev/null & wait $!; code=$?; times; exit $code';
  const shell = spawn('sh', ['-c', script, 'sh', ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
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
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${String(code)}`);
  const [, children = ''] = text.trim().split('\n');
  const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, rest]) => Number(minutes) * 60 + Number(rest),
  );
  return { wallMs, cpuMs: 1000 * seconds.reduce((a, b) => a + b, 0), peakMiB };
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

function sha256(file: string): string {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(4 * MIB);
  const descriptor = fs.openSync(file, 'r');
  for (let read = -1; read !== 0;) {
    read = fs.readSync(descriptor, buffer);
    hash.update(buffer.subarray(0, read));
  }
  fs.closeSync(descriptor);
  return hash.digest('hex');
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** As `pnpm bench` reads it. */
function toResult(medians: readonly (Cost & { name: string })[], shape: object): object {
  const of = (name: string): Cost | undefined => medians.find((median) => median.name === name);
  const [cp, ours, theirs] = [of('cp'), of('sluice'), of('litestream')];
  if (cp === undefined || ours === undefined) throw new Error('--json needs cp and sluice');
  const row = (
    what: string,
    unit: string,
    bar: number,
    figure: (cost: Cost) => number,
  ): object => ({
    what,
    unit,
    ours: Number(figure(ours).toFixed(2)),
    ...(theirs !== undefined && { beside: { litestream: Number(figure(theirs).toFixed(2)) } }),
    bar,
    lowerIsBetter: true,
  });
  return {
    name: 'restore',
    command: 'pnpm bench restore',
    note: `${JSON.stringify(shape)}; cp and fsync took ${Math.round(cp.wallMs)} ms`,
    rows: [
      row('wall clock, as a multiple of cp and fsync', 'x', 1.5, (cost) => cost.wallMs / cp.wallMs),
      row('processor', 's', 7, (cost) => cost.cpuMs / 1000),
      row('peak resident memory', 'MiB', 300, (cost) => cost.peakMiB),
    ],
  };
}
