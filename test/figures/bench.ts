/** Shared helpers of the benchmarks: a replicator process and its resource use. */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const S3_SERVER = fileURLToPath(new URL('../servers/s3/main.ts', import.meta.url));
const CLI = fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url));

export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly ours: number;
  readonly beside?: Readonly<Record<string, number>>;
  readonly bar?: number;
  readonly lowerIsBetter: boolean;
}

/** Path of Litestream's binary, if it is set. */
export const LITESTREAM: string | undefined = process.env['LITESTREAM_BIN'];

export type Kind = 'sluice' | 'litestream';

/** 'slow' runs a program under strace, which makes each fsync take 40 ms longer. */
export type Disk = 'as it is' | 'slow';

const SLOW_DISK: readonly string[] = [
  ...['strace', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync'],
  ...['-e', 'inject=fsync,fdatasync:delay_exit=40000'],
];

/** The command line for running `command` on such a disk. */
export function onDisk(disk: Disk, command: readonly string[]): readonly [string, ...string[]] {
  const [first = '', ...rest] = disk === 'slow' ? [...SLOW_DISK, ...command] : command;
  return [first, ...rest];
}

export const HAS_STRACE: boolean = spawnSync('strace', ['-V'], { stdio: 'ignore' }).status === 0;

export interface ReplicatorOptions {
  readonly kind: Kind;
  readonly database: string;
  /** Destination folders. Litestream supports only one. */
  readonly folders: readonly string[];
  /** Lines of the database. */
  readonly extra?: string;
  /** Lines at the top level. */
  readonly top?: string;
  /** Of the destinations that are folders. */
  readonly syncInterval?: string;
  readonly disk?: Disk;
  /** Additional destination, with Sluice only. */
  readonly s3?: S3Server | undefined;
}

export class ReplicatorProcess {
  readonly #child: ChildProcess;
  readonly folders: readonly string[];
  readonly #kind: Kind;

  constructor(options: ReplicatorOptions) {
    const { kind, database, folders, extra = '', top = '', disk = 'as it is', s3 } = options;
    const sync =
      options.syncInterval === undefined ? '' : `    sync-interval: ${options.syncInterval}\n`;
    this.folders = folders;
    this.#kind = kind;
    const config = `${database}.${kind}.yml`;
    const replicas =
      kind === 'sluice'
        ? `  replicas:\n${folders.map((folder) => `  - path: ${folder}\n${sync}`).join('')}${toYAML(s3)}`
        : `  replica:\n    type: file\n    path: ${folders[0]}\n${sync}`;
    fs.writeFileSync(config, `${top}dbs:\n- path: ${database}\n${extra}${replicas}`);
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      AWS_ACCESS_KEY_ID: s3?.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3?.credentials.secretAccessKey,
    };
    delete env['AWS_CA_BUNDLE'];
    const program = kind === 'sluice' ? [process.execPath, CLI] : [LITESTREAM ?? ''];
    const [command, ...args] = onDisk(disk, [...program, 'replicate', '-config', config]);
    this.#child = spawn(command, args, { stdio: 'ignore', env });
  }

  /** Resolves when the first full snapshot is complete. */
  async ready(): Promise<void> {
    const snapshots = path.join(this.folders[0] ?? '', 'ltx', '9');
    while (
      !fs.existsSync(snapshots) ||
      fs.readdirSync(snapshots).every((name) => !name.endsWith('.ltx'))
    ) {
      if (this.#child.exitCode !== null)
        throw new Error(`${this.#kind} exited with ${this.#child.exitCode}`);
      await sleep(50);
    }
    await sleep(1_500); // skip work that is done once at the start, such as levels and first checks
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

export interface S3Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

function toYAML(s3: S3Server | undefined): string {
  if (s3 === undefined) return '';
  return `  - type: s3\n    bucket: ${s3.bucket}\n    path: app\n    endpoint: ${s3.endpoint}\n`;
}

/** Runs `work` with an S3 server in a separate process. */
export async function besideS3<Result>(work: (s3: S3Server) => Promise<Result>): Promise<Result> {
  const server = spawn(process.execPath, [S3_SERVER, '--with-parent'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const [line] = (await once(server.stdout, 'data')) as [Buffer];
    return await work(JSON.parse(line.toString()) as S3Server);
  } finally {
    server.kill();
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

/** The message that a child sends before it exits. Rejects if it exits without one. */
export async function answer(child: ChildProcess): Promise<unknown[]> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${child.spawnargs.join(' ')} exited with ${code} without a message`);
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

/** Prints the results as the last line of a benchmark. */
export function print(name: string, rows: readonly Row[], note?: string): void {
  const command = `pnpm bench ${name}`;
  process.stdout.write(`${JSON.stringify({ name, command, ...(note && { note }), rows })}\n`);
}
