/** With sync-interval 10ms, commits that are 20 ms apart are moments of their own. */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { CLIProcess } from '../support/process.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const COMMITS = 20;
const SPACING_MS = 20;
/** Far more than a busy machine needs, and less than ten files at the default of one a second. */
const TOGETHER_MS_MAX = 5_000;

interface Restored {
  readonly txid: string;
  readonly timestamp: string;
  readonly resolution_ms?: number;
  readonly next_timestamp?: string;
}

/** A commit, between two readings of the clock. */
interface Commit {
  readonly before: Date;
  readonly after: Date;
}

test('a restore to the time of any commit finds it', async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'app.db');
  const level = path.join(folder, 'backup', 'ltx', '0');
  const text = `sync-interval: 10ms\ndbs:\n- path: ${file}\n  replica: { path: ${folder}/backup }\n`;
  const config = writeFile(folder, 'sluice.yml', text);
  const database = new Database(file);
  onTestFinished(() => void database.close());
  database.pragma('journal_mode=wal');
  database.exec('CREATE TABLE t(id INTEGER PRIMARY KEY)');
  const replicator = new CLIProcess(['replicate', '-config', config]);
  const hasFile = async (number: number): Promise<void> => {
    while (!fs.existsSync(level) || countOf(level) < number) await sleep(1);
  };
  await hasFile(1);
  const insert = database.prepare('INSERT INTO t DEFAULT VALUES');
  const commits: Commit[] = [];
  for (let number = 1; number <= COMMITS; number++) {
    const before = new Date();
    insert.run();
    commits.push({ before, after: new Date() });
    await hasFile(1 + number); // a machine that is busy may take longer than the spacing
    await sleep(Math.max(0, SPACING_MS - (Date.now() - before.getTime())));
  }
  const [first, last] = [commits[0], commits.at(-1)];
  expect(Number(last?.after) - Number(first?.before)).toBeLessThan(TOGETHER_MS_MAX);
  replicator.kill('SIGTERM');
  await replicator.ended();

  for (const [index, { before }] of commits.entries()) {
    const until = commits[index + 1]?.before ?? new Date();
    // The moment of a commit is when Sluice read it: after the commit, and before the next one.
    const found = await restore(folder, `${folder}/${index}.db`, new Date(until.getTime() - 1));
    expect(rowsOf(`${folder}/${index}.db`)).toBe(index + 1);
    expect(new Date(found.timestamp).getTime()).toBeGreaterThanOrEqual(before.getTime());
    const next = found.next_timestamp;
    expect(next === undefined).toBe(index === COMMITS - 1);
    if (next === undefined) continue;
    expect(found.resolution_ms).toBe(Date.parse(next) - Date.parse(found.timestamp));
  }
});

function countOf(level: string): number {
  return fs.readdirSync(level).filter((name) => name.endsWith('.ltx')).length;
}

async function restore(folder: string, output: string, at: Date): Promise<Restored> {
  const words = ['restore', '-json', '-timestamp', at.toISOString(), '-o', output];
  const { code, stdout, stderr } = await sluice([...words, `file://${folder}/backup`]);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Restored;
}

function rowsOf(file: string): unknown {
  const database = new Database(file, { readonly: true });
  const count = database.prepare('SELECT count(*) FROM t').pluck().get();
  database.close();
  return count;
}
