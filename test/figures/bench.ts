/** Shared helpers of the benchmarks: a replicator process and its resource use. */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const S3_SERVER = fileURLToPath(new URL('../servers/s3/main.ts', import.meta.url));
export const CLI: string = fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url));

export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly ours: number;
  readonly beside?: Readonly<Record<string, number>>;
  readonly bar?: number;
  readonly lowerIsBetter: boolean;
}

/** Points of lines, drawn by scripts/bench-curves.mjs. */
export interface Curves {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  /** Axes with a logarithmic scale. */
  readonly log?: 'x' | 'y' | 'both';
  /** By label. */
  readonly lines: Readonly<Record<string, readonly Point[]>>;
}

export type Point = readonly [x: number, y: number];

/** Path of Litestream's binary, if it is set. */
export const LITESTREAM: string | undefined = process.env['LITESTREAM_BIN'];

/** Path of the last version that replicates to several destinations, if it is set. */
export const LITESTREAM_03: string | undefined = process.env['LITESTREAM_03_BIN'];

export type Kind = 'sluice' | 'litestream';

/** With the older version too. */
export type AnyKind = Kind | 'litestream 0.3.13';

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

const PROGRAMS: Readonly<Record<AnyKind, readonly string[]>> = {
  sluice: [process.execPath, CLI],
  litestream: [LITESTREAM ?? ''],
  'litestream 0.3.13': [LITESTREAM_03 ?? ''],
};

export interface ReplicatorOptions {
  readonly kind: AnyKind;
  readonly database: string;
  /** Destination folders. Litestream supports only one since 0.5. */
  readonly folders: readonly string[];
  /** Lines of the database. */
  readonly extra?: string;
  /** Lines at the top level. */
  readonly top?: string;
  /** Of the destinations that are folders. */
  readonly syncInterval?: string;
  readonly disk?: Disk;
  /** Additional destinations, not with Litestream since 0.5. All have the same credentials. */
  readonly s3?: readonly S3Place[];
}

const READY_MS_MAX = 120_000;

export class ReplicatorProcess {
  readonly #child: ChildProcess;
  readonly folders: readonly string[];
  readonly #kind: AnyKind;

  constructor(options: ReplicatorOptions) {
    const { kind, database, folders, extra = '', top = '', disk = 'as it is', s3 = [] } = options;
    const sync =
      options.syncInterval === undefined ? '' : `    sync-interval: ${options.syncInterval}\n`;
    this.folders = folders;
    this.#kind = kind;
    const config = `${database}.${kind}.yml`;
    const places = [
      ...folders.map((folder) => `path: ${folder}\n${sync}`),
      ...s3.map((place) => toYAML(place)),
    ];
    // Litestream 0.3 does not name them itself.
    const replicas =
      kind === 'litestream'
        ? `  replica:\n    type: file\n    path: ${folders[0]}\n${sync}`
        : `  replicas:\n${places.map((place, n) => `  - name: to-${n}\n    ${place}`).join('')}`;
    fs.writeFileSync(config, `${top}dbs:\n- path: ${database}\n${extra}${replicas}`);
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      AWS_ACCESS_KEY_ID: s3[0]?.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3[0]?.credentials.secretAccessKey,
    };
    delete env['AWS_CA_BUNDLE'];
    const [command, ...args] = onDisk(disk, [...PROGRAMS[kind], 'replicate', '-config', config]);
    this.#child = spawn(command, args, { stdio: 'ignore', env });
  }

  /** Resolves when the first full snapshot is in the first folder, and the process has calmed down. */
  async ready(): Promise<void> {
    await this.hasReached(() => this.#hasSnapshot());
    await sleep(1_500); // skip work that is done once at the start, such as levels and first checks
  }

  /** Resolves when `isReached` returns true. Rejects if the process ends before. */
  async hasReached(isReached: () => boolean): Promise<void> {
    const giveUpAt = performance.now() + READY_MS_MAX;
    while (!isReached()) {
      if (performance.now() > giveUpAt) throw new Error(`${this.#kind} made no full snapshot`);
      if (this.#child.exitCode !== null)
        throw new Error(`${this.#kind} exited with ${this.#child.exitCode}`);
      await sleep(50);
    }
  }

  #hasSnapshot(): boolean {
    const snapshots = path.join(this.folders[0] ?? '', 'ltx', '9');
    return (
      fs.existsSync(snapshots) && fs.readdirSync(snapshots).some((name) => name.endsWith('.ltx'))
    );
  }

  /** User and system time of the process, its threads included, in ms. */
  cpuMs(): number {
    const text = fs.readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10; // in ticks of 10 ms
  }

  rssMiB(): number {
    return this.#memoryMiB(/VmRSS:\s+(\d+)/);
  }

  peakRssMiB(): number {
    return this.#memoryMiB(/VmHWM:\s+(\d+)/);
  }

  #memoryMiB(line: RegExp): number {
    const text = fs.readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(line.exec(text)?.[1] ?? 0) / 1024;
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

export interface S3Place extends S3Server {
  readonly path: string;
}

function toYAML({ bucket, path: root, endpoint }: S3Place): string {
  const fields = { type: 's3', bucket, path: root, endpoint, 'force-path-style': true };
  const lines = Object.entries(fields).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
  return lines.join('    ');
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
export function print(
  name: string,
  rows: readonly Row[],
  note?: string,
  curves: readonly Curves[] = [],
): void {
  const command = `pnpm bench ${name}`;
  const drawn = curves.map((each) => ({ ...each, lines: mapLines(each.lines) }));
  const result = { name, command, ...(note && { note }), rows };
  const all = drawn.length > 0 ? { ...result, curves: drawn } : result;
  process.stdout.write(`${JSON.stringify(all)}\n`);
}

/** As in SVG, "x,y x,y …": BENCHMARKS.json stays short. */
function mapLines(lines: Curves['lines']): Readonly<Record<string, string>> {
  const toText = (points: readonly Point[]): string =>
    points.map(([x, y]) => `${round(x, 2)},${round(y, 2)}`).join(' ');
  return Object.fromEntries(Object.entries(lines).map(([label, line]) => [label, toText(line)]));
}
