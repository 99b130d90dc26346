/** `sluice restore -f` beside a running replicator and readers, and its promotion. */

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test, vi } from 'vitest';
import { CLIProcess, runProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

const ACCOUNTS = 50;
const TOTAL = ACCOUNTS * 100;
const KILLS = 20;
const READER = fileURLToPath(new URL('copy-reader.mjs', import.meta.url));

/** An application whose transactions keep a sum and a counter. */
class Bank {
  readonly database: Database.Database;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(file: string) {
    this.database = new Database(file);
    this.database.pragma('journal_mode = wal');
    this.database.exec(`CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER);
      CREATE TABLE counter (n INTEGER); CREATE TABLE log (id INTEGER PRIMARY KEY, text TEXT)`);
    this.database.exec('INSERT INTO counter VALUES (0)');
    const add = this.database.prepare('INSERT INTO accounts VALUES (?, 100)');
    for (let id = 0; id < ACCOUNTS; id++) add.run(id);
    this.transfer();
    onTestFinished(() => this.close());
  }

  get count(): number {
    return this.#count;
  }

  transfer(): void {
    const move = this.database.prepare('UPDATE accounts SET balance = balance + ? WHERE id = ?');
    this.database.transaction(() => {
      this.#count += 1;
      move.run(-1, this.#count % ACCOUNTS);
      move.run(1, (this.#count * 7 + 3) % ACCOUNTS);
      this.database.prepare('UPDATE counter SET n = ?').run(this.#count);
      const text = 'x'.repeat((this.#count % 20) * 400);
      this.database.prepare('INSERT INTO log VALUES (?, ?)').run(this.#count, text);
      // The database also shrinks and grows.
      if (this.#count % 50 === 0)
        this.database.prepare('DELETE FROM log WHERE id < ?').run(this.#count);
    })();
    if (this.#count % 150 === 0) this.database.exec('VACUUM');
  }

  start(): void {
    this.#timer = setInterval(() => this.transfer(), 10);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  close(): void {
    this.stop();
    if (this.database.open) this.database.close();
  }
}

interface Scene {
  readonly bank: Bank;
  readonly backup: string;
  readonly copy: string;
  readonly words: readonly string[];
}

async function scene(): Promise<Scene> {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  const backup = path.join(folder, 'backup');
  const bank = new Bank(database);
  const replicator = new CLIProcess(['replicate', database, `file://${backup}`]);
  await replicator.says(/replicating|synced|snapshot/i);
  await vi.waitFor(() => expect(fs.existsSync(path.join(backup, 'ltx', '0'))).toBe(true), 20_000);
  const copy = path.join(folder, 'copy.db');
  const words = [
    'restore',
    '-f',
    '-follow-interval',
    '100ms',
    '-json',
    '-o',
    copy,
    `file://${backup}`,
  ];
  return { bank, backup, copy, words };
}

function countIn(file: string): unknown {
  const database = new Database(file, { timeout: 20_000 });
  try {
    return database.prepare('SELECT n FROM counter').pluck().get();
  } finally {
    database.close();
  }
}

async function untilEqual({ bank, copy }: Scene): Promise<void> {
  await vi.waitFor(() => expect(countIn(copy)).toBe(bank.count), 30_000);
}

test('a copy follows, survives SIGKILL at any moment, and no reader ever sees a torn state', async () => {
  const at = await scene();
  const { bank, copy, words } = at;
  const first = new CLIProcess(words);
  await first.says(/"event":"following"/);
  first.kill('SIGKILL');
  await first.ended();
  const reader = spawn(process.execPath, [READER, copy, String(TOTAL)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void reader.kill('SIGKILL'));
  let said = '';
  reader.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  bank.start();
  for (let kill = 0; kill < KILLS; kill++) {
    const follower = new CLIProcess(words);
    await follower.says(/"event":"applied"/);
    // Somewhere within the next changes.
    await new Promise((resolve) => setTimeout(resolve, (kill * 37) % 150));
    follower.kill('SIGKILL');
    await follower.ended();
  }
  const last = new CLIProcess(words);
  await last.says(/"event":"applied"/);
  bank.stop();
  await untilEqual(at);
  reader.stdin.end('how many?\n');
  await vi.waitFor(() => expect(said).toMatch(/checked \d+/), 20_000);
  expect(said).not.toContain('torn');
  expect(Number(/checked (\d+)/.exec(said)?.[1])).toBeGreaterThan(KILLS);
  last.kill('SIGTERM');
  const { code, stderr } = await last.ended();
  expect([code, stderr]).toEqual([0, '']);
});

test('a copy is stopped, promoted, written to, and no longer followed', async () => {
  const at = await scene();
  const { bank, backup, copy, words } = at;
  const follower = new CLIProcess(words);
  await follower.says(/"event":"following"/);
  bank.transfer();
  await untilEqual(at);
  const replicated = await runProcess(['replicate', copy, `file://${backup}`]);
  expect([replicated.code, replicated.stderr]).toEqual([2, expect.stringContaining('warm copy')]);
  const busy = await runProcess(['promote', copy]);
  expect([busy.code, busy.stderr]).toEqual([9, expect.stringContaining('stop it first')]);
  follower.kill('SIGINT');
  expect((await follower.ended()).code).toBe(0);

  const { code, stdout } = await runProcess(['promote', '-json', copy]);
  expect([code, JSON.parse(stdout)]).toMatchObject([0, { db_path: copy, journal_mode: 'wal' }]);
  const promoted = new Database(copy);
  promoted.exec('UPDATE counter SET n = n + 1');
  promoted.close();
  const again = await runProcess(words);
  expect(again.code).toBe(8);
  expect(again.stderr).toContain('-force');
});
