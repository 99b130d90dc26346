/** `sluice drill` of two folders, and what is left of it. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test, vi } from 'vitest';
import { addRows, openApplication } from '../support/database.ts';
import { CLIProcess, runProcess } from '../support/process.ts';
import { sluice } from '../support/shell.ts';
import { closedEndpoint } from '../support/silent-server.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

const ROWS = 5;
const NEWEST = '0000000000000001';
/** The file that a restore of the newest state reads. */
const SNAPSHOT = 'ltx/9/0000000000000001-0000000000000001.ltx';
/** Never ends. */
const ENDLESS =
  'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n';

interface Scene {
  readonly folder: string;
  readonly config: string;
  readonly database: string;
  readonly backups: readonly [string, string];
  readonly scratch: string;
}

function flipByte(file: string): void {
  const bytes = fs.readFileSync(file);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  fs.writeFileSync(file, bytes);
}

/** A database, backed up to two folders by a replicator that has ended. */
async function scene(more = ''): Promise<Scene> {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  addRows(database, ROWS);
  const backups = [path.join(folder, 'one'), path.join(folder, 'two')] as const;
  const replicas = `[{ path: ${backups[0]}, name: one }, { path: ${backups[1]}, name: two }`;
  const write = (name: string, rest: string): string =>
    writeFile(folder, name, `dbs: [{ path: ${database}, replicas: ${replicas}${rest}] }]\n`);
  const { code } = await runProcess(['replicate', '-once', '-config', write('first.yml', '')]);
  expect(code).toBe(0);
  const scratch = path.join(folder, 'scratch');
  fs.mkdirSync(scratch);
  return { folder, database, backups, scratch, config: write('sluice.yml', more) };
}

interface Row {
  readonly name: string;
  readonly result: string;
  readonly txid?: string;
  readonly loss_window_ms?: number;
  readonly comparison: { readonly kind: string; readonly why?: string };
  readonly problems: readonly { message: string; code?: string; object?: string }[];
}

async function drill(
  { config, scratch }: Scene,
  ...words: string[]
): Promise<{ code: number; rows: Row[]; stderr: string }> {
  const all = ['drill', '-config', config, '-tmp', scratch, '-json', ...words];
  const { code, stdout, stderr } = await sluice(all);
  expect(fs.readdirSync(scratch)).toEqual([]);
  return { code, rows: JSON.parse(stdout) as Row[], stderr };
}

const resultsOf = (rows: readonly Row[]): unknown => rows.map(({ name, result }) => [name, result]);

test('a configuration that was found is named once', async () => {
  const { config } = await scene();
  const { code, stderr } = await sluice(['drill'], {}, [config]);
  expect([code, stderr]).toEqual([0, `sluice: using the configuration ${config}\n`]);
});

test('each destination is restored alone and equals the live database; nothing is left', async () => {
  const at = await scene();
  const before = fs.readdirSync(at.folder).sort();
  const { code, rows, stderr } = await drill(at, '-assert', `SELECT count(*) = ${ROWS} FROM notes`);
  expect([code, stderr]).toEqual([0, '']);
  expect(rows).toMatchObject(
    ['one', 'two'].map((name) => ({
      database: at.database,
      name,
      result: 'ok',
      txid: NEWEST,
      newest_txid: NEWEST,
      loss_window_ms: 0,
      files_listed: 2,
      assertions: [{ holds: true }],
      comparison: { kind: 'equal' },
      problems: [],
    })),
  );
  expect(fs.readdirSync(at.folder).sort()).toEqual(before);
});

test('after later commits it says "moved on", and how much would be lost', async () => {
  const at = await scene();
  const application = openApplication(at.database);
  application.addRow();
  const { code, rows } = await drill(at);
  application.close();
  expect([code, resultsOf(rows)]).toEqual([
    0,
    [
      ['one', 'ok'],
      ['two', 'ok'],
    ],
  ]);
  for (const { comparison, loss_window_ms: loss } of rows) {
    expect(comparison).toEqual({ kind: 'not compared', why: 'the live database has moved on' });
    expect(loss).toBeGreaterThan(0);
  }
});

test('beside a running replicator and a busy application, the pages are compared all the same', async () => {
  const at = await scene();
  const replicator = new CLIProcess(['replicate', '-config', at.config]);
  await replicator.says(/starts as process/);
  const application = openApplication(at.database);
  const timer = setInterval(() => application.addRow(), 20);
  const compared = async (): Promise<string | undefined> => {
    const { code, rows } = await drill(at, '-replica', 'one');
    expect([code, rows[0]?.problems]).toEqual([0, []]);
    const { txid = '', comparison } = rows[0] ?? {};
    return txid > NEWEST ? comparison?.kind : undefined;
  };
  try {
    await expect.poll(compared, { timeout: 60_000 }).toBe('equal');
  } finally {
    clearInterval(timer);
    application.close();
  }
  replicator.kill('SIGTERM');
  expect((await replicator.ended()).code).toBe(0);
});

test('one flipped byte fails only its destination, and the object is named', async () => {
  const at = await scene();
  flipByte(path.join(at.backups[1], SNAPSHOT));
  const { code, rows } = await drill(at);
  expect(code).toBe(12);
  expect(resultsOf(rows)).toEqual([
    ['one', 'ok'],
    ['two', 'failed'],
  ]);
  const [problem] = rows[1]?.problems ?? [];
  expect(problem?.code).toMatch(/^LTX_/);
  expect(problem?.object).toBe('level 9 0000000000000001-0000000000000001.ltx');
});

test('an unreachable destination is inconclusive, and does not hide a failure', async () => {
  const endpoint = await closedEndpoint();
  const at = await scene(
    `, { type: s3, name: far, bucket: b, endpoint: "${endpoint}", region: x, access-key-id: a, secret-access-key: bbbbbbbb }`,
  );
  const first = await drill(at);
  expect(first.code).toBe(13);
  expect(first.rows[2]).toMatchObject({
    name: 'far',
    result: 'inconclusive',
    problems: [{ code: 'REPLICA_UNAVAILABLE' }],
    comparison: { kind: 'not compared', why: 'nothing was restored' },
  });
  const second = await drill(at, '-assert', 'SELECT 0');
  expect(second.code).toBe(12);
  expect((await drill(at, '-replica', 'two')).code).toBe(0);
});

test('each assertion is judged by itself, and an SQL error fails it', async () => {
  const at = await scene();
  const words = ['-assert', 'SELECT 1', '-assert', 'SELECT x', '-assert', 'SELECT NULL'];
  const { code, rows } = await drill(at, '-replica', 'one', ...words);
  expect(code).toBe(12);
  expect(rows[0]).toMatchObject({
    assertions: [{ holds: true }, { holds: false }, { holds: false }],
    problems: [
      { message: 'the assertion "SELECT x" failed: no such column: x' },
      { message: 'the assertion "SELECT NULL" returned NULL' },
    ],
  });
});

test('an assertion that is a mistake is one of the command', async () => {
  const at = await scene();
  const words = ['drill', '-config', at.config, '-tmp', at.scratch, '-replica', 'one'];
  const syntax = await sluice([...words, '-assert', 'SELEC count(*) FROM notes']);
  expect([syntax.code, syntax.stdout]).toEqual([2, '']);
  expect(syntax.stderr).toMatch(/-assert "SELEC .*": near "SELEC": syntax error/);
  const application = new Database(at.database);
  onTestFinished(() => void application.close());
  application.exec('CREATE TABLE newer (x)'); // not in the backup
  const table = await sluice([...words, '-assert', 'SELECT count(*) FROM ntoes']);
  expect([table.code, table.stdout]).toEqual([2, '']);
  expect(table.stderr).toMatch(/no such table: ntoes; the live database does not accept it either/);
  const lacking = await drill(at, '-replica', 'one', '-assert', 'SELECT 1 FROM newer');
  expect(lacking.code).toBe(12);
});

test('an assertion by hand that does not hold changes nothing about the health', async () => {
  const at = await scene();
  const healthy = async (): Promise<unknown> => {
    const { code, stdout } = await sluice(['status', '-config', at.config, '-json']);
    const [row] = JSON.parse(stdout) as [{ problems: unknown; destinations: unknown[] }];
    return [code, row.problems, row.destinations[0]];
  };
  const { code, rows } = await drill(at, '-replica', 'one', '-assert', 'SELECT 0');
  expect([code, rows[0]?.result]).toEqual([12, 'failed']);
  expect(await healthy()).toMatchObject([0, [], { state: 'ok', drill: { result: 'ok' } }]);
});

test('an emptied destination fails, because the staging folder knows what was sent', async () => {
  const at = await scene();
  fs.rmSync(at.backups[0], { recursive: true });
  fs.mkdirSync(at.backups[0]);
  const { code, rows } = await drill(at);
  expect(code).toBe(12);
  expect(rows[0]?.problems[0]).toMatchObject({
    code: 'RESTORE_NO_SNAPSHOT',
    message: expect.stringMatching(/is empty, but TXID 0{15}1 was sent there/) as string,
  });
});

/** Resolves when an endless assertion runs. */
async function drillForever({ config, scratch }: Scene): Promise<CLIProcess> {
  const words = ['drill', '-config', config, '-tmp', scratch, '-integrity-check', 'none'];
  const drilling = new CLIProcess([...words, '-assert', ENDLESS]);
  // SQLite creates this file when the assertion begins.
  const index = path.join(scratch, 'sluice-drill-*', '*', 'restored.db-shm');
  await expect.poll(() => fs.globSync(index).length, { timeout: 60_000 }).toBe(1);
  return drilling;
}

test.runIf(process.platform === 'linux')(
  'a drill that is killed leaves no process: no statement runs on',
  async () => {
    const drilling = await drillForever(await scene());
    const children = `/proc/${drilling.pid}/task/${drilling.pid}/children`;
    const child = Number(fs.readFileSync(children, 'utf8').trim());
    expect(child).toBeGreaterThan(0);
    drilling.kill('SIGKILL');
    const isAlive = (): boolean => {
      try {
        return process.kill(child, 0);
      } catch {
        return false;
      }
    };
    await expect.poll(isAlive, { timeout: 60_000 }).toBe(false);
  },
);

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s removes the scratch folder and ends the drill',
  async (name) => {
    const at = await scene();
    const drilling = await drillForever(at);
    drilling.killGroup(name);
    const { code, stdout, stderr } = await drilling.ended();
    expect([code, stdout]).toEqual([name === 'SIGTERM' ? 143 : 130, '']);
    expect(stderr).toBe(`sluice: stopped by ${name}\n`);
    expect(fs.readdirSync(at.scratch)).toEqual([]);
  },
);

test('status shows the last drill of each destination, with its age and last success', async () => {
  const at = await scene();
  const silent = await sluice(['status', '-config', at.config]);
  expect(silent.stdout).not.toContain('last drill');
  await drill(at);
  const text = await sluice(['status', '-config', at.config]);
  expect([text.code, text.stdout]).toEqual([
    0,
    expect.stringMatching(
      /last drill of one: ok \(by hand\) \d+m?s ago, TXID 0{15}1 restored in [\d.]+ s, window of loss 0.0 s\n {2}last drill of two: ok/,
    ),
  ]);
  flipByte(path.join(at.backups[1], SNAPSHOT));
  await drill(at);
  const { code, stdout } = await sluice(['status', '-config', at.config, '-json']);
  const [{ healthy, problems, destinations }] = JSON.parse(stdout) as [StatusRow];
  expect(destinations.map((destination) => destination.drill)).toMatchObject([
    { result: 'ok', txid: NEWEST, problems: [] },
    { result: 'failed', problems: [expect.any(String)], last_success_at: expect.any(String) },
  ]);
  expect([code, healthy, ...destinations.map(({ state }) => state)]).toEqual([
    3,
    false,
    'ok',
    'failing',
  ]);
  expect(problems).toEqual([expect.stringMatching(/^two failed its drill of .* \(full, started/)]);
  flipByte(path.join(at.backups[1], SNAPSHOT));
  await drill(at);
  expect((await sluice(['status', '-config', at.config])).code).toBe(0);
});

interface StatusRow {
  readonly healthy: boolean;
  readonly problems: readonly string[];
  readonly destinations: readonly { readonly state: string; readonly drill: object }[];
}

test('a URL is drilled too, without a database to compare with', async () => {
  const { backups, scratch } = await scene();
  const words = ['drill', '-tmp', scratch, `file://${backups[0]}`];
  const { code, stdout } = await sluice(words);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    new RegExp(
      `^file \\(file://${backups[0]}\\): ok\n` +
        `  restored TXID ${NEWEST}, written at \\S+Z, .* from 1 of 2 files\n` +
        '  quick_check is ok; not compared: there is no live database here\n' +
        `  newest restorable TXID ${NEWEST}; window of loss at most [\\d.]+ s\n$`,
    ),
  );
});

test('without a staging folder the result is printed, and not kept', async () => {
  const at = await scene();
  const staging = path.join(at.folder, '.app.db-sluice');
  fs.rmSync(staging, { recursive: true });
  const { code, stderr } = await drill(at);
  expect(code).toBe(0);
  expect(stderr).toContain('the result is not kept');
  expect(fs.existsSync(staging)).toBe(false);
});

test.each([
  [['-at', 'noon'], 2, /-at is latest or random, not "noon"/],
  [['-at', 'random', '-txid', NEWEST], 2, /-at and -txid cannot be used together/],
  [['-integrity-check', 'fast'], 2, /-integrity-check is none, quick or full/],
  [['-replica', 'three'], 2, /there is no destination three; the database has one, two/],
  [
    ['-tmp', '/nowhere/at/all'],
    1,
    /create a folder \/nowhere\/at\/all\/sluice-drill-…: ENOENT.*-tmp/,
  ],
])('%j is a mistake, and says which', async (words, expected, message) => {
  const folder = temporaryFolder();
  const replicas = `[{ path: ${folder}/one, name: one }, { path: ${folder}/two, name: two }]`;
  const text = `dbs: [{ path: ${folder}/app.db, replicas: ${replicas} }]\n`;
  const config = writeFile(folder, 'sluice.yml', text);
  const { code, stderr } = await sluice(['drill', '-config', config, ...words]);
  expect(code).toBe(expected);
  expect(stderr).toMatch(message);
});
