/**
 * What a restart costs after 100 changed pages of a large database, and when nothing has changed: bytes at
 * each destination, the time of the comparison beside `cat` of the same file, and processor time. Both read
 * the file from the disk, after its pages were dropped from the cache, and then from the cache.
 */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { inFolder, print, quantile, round, type Row } from './bench.ts';

const CLI = fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url));
const MIB = 1024 * 1024;
const DATABASE_MIB = Number(process.env['SLUICE_BENCH_MIB'] ?? 1024);
const CHANGED_PAGES = 100;
const RUNS = 5;
/** One row fills one page of 4 KiB. */
const ROW_BYTES = 4_000;
const ROWS = (DATABASE_MIB * MIB) / 4_096;

interface Once {
  readonly log: string;
  readonly cpuMs: number;
}

class Subject {
  readonly #folder: string;
  readonly #config: string;
  readonly database: string;
  readonly #destinations: readonly string[];

  constructor(folder: string) {
    this.#folder = folder;
    this.database = path.join(folder, 'app.db');
    this.#destinations = ['a', 'b'].map((name) => path.join(folder, name));
    this.#config = path.join(folder, 'sluice.yml');
    const replicas = this.#destinations.map((each) => `  - path: ${each}\n`).join('');
    fs.writeFileSync(this.#config, `dbs:\n- path: ${this.database}\n  replicas:\n${replicas}`);
  }

  change(work: (database: Database.Database) => void): void {
    const database = new Database(this.database);
    database.pragma('journal_mode=wal');
    database.transaction(() => work(database))();
    database.close(); // deletes the WAL
  }

  /** Starts and stops a replicator. */
  restart(): Once {
    const command = [process.execPath, CLI, 'replicate', '-once', '-config', this.#config];
    const result = timed(command, this.#folder);
    return { log: result.output, cpuMs: result.cpuMs };
  }

  cat(): number {
    return timed(['sh', '-c', `cat '${this.database}' > /dev/null`], this.#folder).wallMs;
  }

  /** Drops the pages of the database from the page cache. */
  dropFromCache(): void {
    const args = [`of=${this.database}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'];
    const { status } = spawnSync('dd', ['if=/dev/null', ...args], { stdio: 'ignore' });
    if (status !== 0) throw new Error('dd cannot drop the cache of a file here');
  }

  /** Size of all files but merged ones, at the destination with the most: a merged file repeats what was sent before. */
  get sentBytes(): number {
    const sizes = this.#destinations.map((folder) => {
      const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
      const files = names.filter((name) => /\bltx\/[09]\/.*\.ltx$/.test(name));
      return files.reduce((sum, name) => sum + fs.statSync(path.join(folder, name)).size, 0);
    });
    return Math.max(...sizes);
  }
}

function timed(
  command: readonly string[],
  cwd: string,
): { output: string; wallMs: number; cpuMs: number } {
  const script = 'TIMEFORMAT="sluice-time %R %U %S"; time "$@"';
  const options = { cwd, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } } as const;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...command], options);
  const output = stdout + stderr;
  if (status !== 0) throw new Error(`${command.join(' ')}: ${output}`);
  const [, wall = 0, user = 0, system = 0] =
    /sluice-time (\S+) (\S+) (\S+)/.exec(stderr)?.map(Number) ?? [];
  return { output, wallMs: wall * 1_000, cpuMs: (user + system) * 1_000 };
}

/** Time from "comparing" to its result, by the log. */
function comparisonMs({ log }: Once): number {
  const at = (pattern: RegExp): number => {
    const line = log.split('\n').find((each) => pattern.test(each)) ?? '';
    return Date.parse(/time=(\S+)/.exec(line)?.[1] ?? '');
  };
  const took = at(/pages have changed|nothing has changed/) - at(/comparing the database/);
  if (Number.isNaN(took)) throw new Error(`no comparison in the log:\n${log}`);
  return took;
}

const rows = await inFolder(async (folder): Promise<Row[]> => {
  const subject = new Subject(folder);
  subject.change((database) => {
    database.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a)');
    const insert = database.prepare('INSERT INTO t(a) VALUES(randomblob(?))');
    for (let row = 0; row < ROWS; row++) insert.run(ROW_BYTES);
  });
  subject.restart();
  const first = subject.sentBytes;
  const sent: number[] = [];
  const comparisons = { disk: [] as number[], cache: [] as number[] };
  const cats = { disk: [] as number[], cache: [] as number[] };
  const cpu: number[] = [];
  for (let run = 0; run < 2 * RUNS; run++) {
    const from = run % 2 === 0 ? 'disk' : 'cache';
    const prepare = (): unknown => (from === 'disk' ? subject.dropFromCache() : subject.cat());
    subject.change((database) => {
      const update = database.prepare('UPDATE t SET a = randomblob(?) WHERE id = ?');
      const step = Math.floor(ROWS / CHANGED_PAGES);
      for (let page = 0; page < CHANGED_PAGES; page++) update.run(ROW_BYTES, 1 + run + page * step);
    });
    prepare();
    cats[from].push(subject.cat());
    prepare();
    const before = subject.sentBytes;
    const once = subject.restart();
    sent.push(subject.sentBytes - before);
    comparisons[from].push(comparisonMs(once));
    cpu.push(once.cpuMs);
  }
  const untouched = subject.sentBytes;
  const idle: number[] = [];
  for (let run = 0; run < RUNS; run++) idle.push(subject.restart().cpuMs);
  const median = (values: readonly number[]): number => quantile(values, 0.5);
  const down = { lowerIsBetter: true } as const;
  const compared = (['disk', 'cache'] as const).flatMap((from): Row[] => {
    const [ours, cat] = [median(comparisons[from]), median(cats[from])];
    const what = `comparison, read from the ${from}`;
    return [
      { what, unit: 'ms', ours: round(ours, 0), beside: { cat: round(cat, 0) }, ...down },
      { what, unit: 'x cat', ours: round(ours / cat, 2), bar: 1.5, ...down },
    ];
  });
  return [
    {
      what: 'first full snapshot, in a folder',
      unit: 'x its size',
      ours: round(first / fs.statSync(subject.database).size, 2),
      bar: 2,
      ...down,
    },
    {
      what: `sent after ${CHANGED_PAGES} changed pages`,
      unit: 'KiB',
      ours: round(Math.max(...sent) / 1024, 0),
      bar: 1024,
      ...down,
    },
    ...compared,
    { what: 'processor of that start', unit: 's', ours: round(median(cpu) / 1_000, 2), ...down },
    {
      what: `sent by ${RUNS} restarts of an untouched database`,
      unit: 'bytes',
      ours: subject.sentBytes - untouched,
      bar: 0,
      ...down,
    },
    { what: 'processor of such a start', unit: 's', ours: round(median(idle) / 1_000, 2), ...down },
  ];
});
print('restarts', rows, `${DATABASE_MIB} MiB in pages of 4 KiB, two destinations in folders`);
