/**
 * Thousands of idle databases in one process, each with a folder and a bucket as destinations: start, memory, descriptors,
 * requests, processor time, the first commit after the pause, and the end. Two runs: the first one sends everything, the
 * second one finds everything sent. The server of the bucket is a process of its own, and so are the applications.
 *
 * SLUICE_BENCH_DATABASES: how many, default 1,000. SLUICE_BENCH_SECONDS: length of the idle time, default 60.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { startCountingProxy, type CountingProxy } from '../servers/counting-proxy.ts';
import { Arrivals } from './arrivals.ts';
import {
  besideS3,
  CLI,
  inFolder,
  print,
  quantile,
  round,
  type Row,
  type S3Server,
} from './bench.ts';

const DATABASES = Number(process.env['SLUICE_BENCH_DATABASES'] ?? 1_000);
const IDLE_SECONDS = Number(process.env['SLUICE_BENCH_SECONDS'] ?? 60);
/** Its processor time would be an application's. */
const WOKEN = 20;
const ROWS = 20;

const START_MS_MAX = 600_000;
const STOP_MS_MAX = 300_000;
/** A first merge of what was committed just before the start is due within 30 s. */
const MERGED_MS_MAX = 40_000;
/** After what time without commits they are closed. By default it is five minutes. */
const IDLE_CLOSE = '5s';
/** Those that do not belong to a database: threads, connections to the bucket. */
const BASE_DESCRIPTORS_MAX = 100;

const folder = (parent: string, name: string): string => path.join(parent, name);

interface Place {
  readonly databases: string;
  readonly backup: string;
  readonly config: string;
}

/** Copies of one database. */
function make(parent: string, { credentials, bucket }: S3Server, endpoint: string): Place {
  const place = {
    databases: folder(parent, 'databases'),
    backup: folder(parent, 'backup'),
    config: folder(parent, 'sluice.yml'),
  };
  fs.mkdirSync(place.databases);
  const template = folder(parent, 'template.db');
  const db = new Database(template);
  db.pragma('journal_mode = wal');
  db.exec('CREATE TABLE t (x)');
  for (let row = 0; row < ROWS; row++) db.exec('INSERT INTO t VALUES (randomblob(100))');
  db.close();
  for (const name of names()) fs.copyFileSync(template, folder(place.databases, name));
  const s3 = {
    ...{ type: 's3', bucket, path: 'many', endpoint, 'force-path-style': true },
    'access-key-id': credentials.accessKeyId,
    'secret-access-key': credentials.secretAccessKey,
  };
  const entry = {
    ...{ dir: place.databases, pattern: '*.db', 'idle-close': IDLE_CLOSE },
    replicas: [{ path: place.backup }, s3],
  };
  fs.writeFileSync(place.config, JSON.stringify({ dbs: [entry] }));
  return place;
}

function names(): string[] {
  return Array.from(
    { length: DATABASES },
    (_, index) => `tenant-${String(index).padStart(5, '0')}.db`,
  );
}

/** What `status.json` says, if this process wrote it. */
function isInStep(databases: string, name: string, pid: number): boolean {
  try {
    const file = path.join(databases, `.${name}-sluice`, 'status.json');
    const status = JSON.parse(fs.readFileSync(file, 'utf8')) as {
      readonly pid: number;
      readonly destinations: readonly { readonly state: string; readonly txid?: string }[];
    };
    return (
      status.pid === pid &&
      status.destinations.every(({ state, txid }) => state === 'streaming' && txid !== undefined)
    );
  } catch {
    return false;
  }
}

class Replicator {
  readonly #child: ChildProcess;
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
    const log = fs.openSync(`${place.config}.log`, 'a');
    this.#child = spawn(process.execPath, [CLI, 'replicate', '-config', place.config], {
      stdio: ['ignore', log, log],
    });
    fs.closeSync(log);
  }

  get pid(): number {
    const { pid, exitCode } = this.#child;
    if (pid !== undefined && exitCode === null) return pid;
    throw new Error(
      `the replicator has ended: ${fs.readFileSync(`${this.#place.config}.log`, 'utf8').slice(-2_000)}`,
    );
  }

  /** Resolves when all databases are at all destinations. */
  async ready(): Promise<void> {
    const giveUpAt = performance.now() + START_MS_MAX;
    for (let missing = names(); missing.length > 0;) {
      const { pid } = this;
      // In order: the first one that is missing stands for those behind it.
      const next = missing.findIndex((name) => !isInStep(this.#place.databases, name, pid));
      missing = next < 0 ? [] : missing.slice(next);
      if (performance.now() > giveUpAt) throw new Error(`${missing.length} are not in step`);
      if (missing.length > 0) await sleep(100);
    }
  }

  /** Resolves when all are closed, and nothing is to be merged. */
  async idle(): Promise<void> {
    const giveUpAt = performance.now() + START_MS_MAX;
    while (this.descriptors > 2 * DATABASES + BASE_DESCRIPTORS_MAX) {
      if (performance.now() > giveUpAt) throw new Error(`${this.descriptors} descriptors`);
      await sleep(500);
    }
    await sleep(MERGED_MS_MAX);
  }

  get descriptors(): number {
    return fs.readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** Of the process and its children. */
  memoryMiB(line: 'Rss' | 'Pss'): number {
    return [this.pid, ...this.#children].reduce((sum, pid) => {
      const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      return sum + Number(new RegExp(`^${line}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024;
    }, 0);
  }

  peakMiB(): number {
    const text = fs.readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1024;
  }

  get #children(): readonly number[] {
    const { pid } = this;
    const text = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  }

  /** User and system time of the process and of its children that have ended. */
  cpuMs(): number {
    const text = fs.readFileSync(`/proc/${this.pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS_MAX);
    const [code] = (await exited) as [number | null];
    clearTimeout(timer);
    if (code !== 0) throw new Error(`the replicator exited with ${code}`);
  }
}

interface Run {
  readonly startMs: number;
  readonly startCPUms: number;
  readonly startMiB: number;
  readonly rssMiB: number;
  readonly pssMiB: number;
  readonly descriptors: number;
  readonly requests: number;
  readonly idleCPUms: number;
  readonly wakeMs: readonly number[];
  readonly stopMs: number;
}

/** Commits of applications that have their databases open all the time, one after the other. */
async function wake(
  { databases, backup }: Place,
  open: readonly Database.Database[],
): Promise<number[]> {
  const found: number[] = [];
  for (const db of open) {
    const name = path.basename(db.name);
    const arrivals = new Arrivals();
    const stop = arrivals.watchFolder(path.join(backup, name, 'ltx', '0'));
    db.exec('INSERT INTO t VALUES (randomblob(100))');
    arrivals.expect();
    await arrivals.all({ timeoutMs: 60_000 });
    stop();
    found.push(...arrivals.lags.map(({ ms }) => ms));
    await sleep(200);
  }
  console.error(`woken in ${databases}: ${found.map((ms) => Math.round(ms)).join(' ')} ms`);
  return found;
}

async function run(place: Place, proxy: CountingProxy): Promise<Run> {
  const open = names()
    .filter((_, index) => index % Math.ceil(DATABASES / WOKEN) === 0)
    .map((name) => new Database(path.join(place.databases, name)));
  for (const db of open) db.prepare('SELECT count(*) FROM t').get();
  const replicator = new Replicator(place);
  try {
    const began = performance.now();
    await replicator.ready();
    const startMs = performance.now() - began;
    const startCPUms = replicator.cpuMs();
    await replicator.idle();
    const startMiB = replicator.peakMiB();
    const sent = proxy.take();
    console.error(
      `started in ${round(startMs / 1000)} s, ${sent} requests, ${startCPUms} ms of processor`,
    );
    const before = replicator.cpuMs();
    await sleep(IDLE_SECONDS * 1_000);
    const idleCPUms = replicator.cpuMs() - before;
    const idle = {
      rssMiB: replicator.memoryMiB('Rss'),
      pssMiB: replicator.memoryMiB('Pss'),
      descriptors: replicator.descriptors,
      requests: proxy.take(),
    };
    const wakeMs = await wake(place, open);
    const stopAt = performance.now();
    await replicator.stop();
    const stopMs = performance.now() - stopAt;
    const result = { startMs, startCPUms, startMiB, idleCPUms, ...idle, wakeMs, stopMs };
    console.error(JSON.stringify(result));
    return result;
  } finally {
    await replicator.stop();
    for (const db of open) db.close();
  }
}

const [first, second] = await besideS3(async (s3) => {
  const proxy = await startCountingProxy(s3.endpoint);
  try {
    return await inFolder(async (parent) => {
      const place = make(parent, s3, proxy.endpoint);
      return [await run(place, proxy), await run(place, proxy)] as const;
    });
  } finally {
    await proxy.stop();
  }
});

const percent = (ms: number): number => round((ms / (IDLE_SECONDS * 1_000)) * 100, 2);
const seconds = (ms: number): number => round(ms / 1_000, 1);
/** The targets are those of 1,000 databases. */
const bar = (value: number): { readonly bar?: number } =>
  DATABASES === 1_000 ? { bar: value } : {};
const rows: Row[] = [
  { what: 'first start, everything sent', unit: 's', ours: seconds(first.startMs), ...bar(30) },
  { what: 'next start', unit: 's', ours: seconds(second.startMs), ...bar(30) },
  { what: 'next start: processor', unit: 's', ours: seconds(second.startCPUms) },
  { what: 'next start: peak memory', unit: 'MiB', ours: round(second.startMiB) },
  { what: 'resident memory, idle', unit: 'MiB', ours: round(second.rssMiB), ...bar(238) },
  { what: 'the same, proportional', unit: 'MiB', ours: round(second.pssMiB) },
  {
    what: 'descriptors of the process, idle',
    unit: 'descriptors',
    ours: second.descriptors,
    ...bar(2 * DATABASES + BASE_DESCRIPTORS_MAX),
  },
  {
    what: `requests in ${IDLE_SECONDS} s, idle`,
    unit: 'requests',
    ours: second.requests,
    ...bar(0),
  },
  { what: 'processor, idle', unit: '% of a core', ours: percent(second.idleCPUms), ...bar(1) },
  {
    ...{ what: 'first commit to the folder, p50', unit: 'ms', ...bar(100) },
    ours: round(quantile(second.wakeMs, 0.5)),
  },
  {
    ...{ what: 'first commit to the folder, slowest', unit: 'ms' },
    ours: round(Math.max(...second.wakeMs)),
  },
  { what: 'stop', unit: 's', ours: seconds(second.stopMs), ...bar(15) },
].map((row) => ({ ...row, lowerIsBetter: true }));
print(
  'many',
  rows,
  `${DATABASES} databases of one directory, each with a folder and a bucket; idle-close is ${IDLE_CLOSE}`,
);
