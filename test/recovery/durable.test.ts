/**
 * What `durable()` has said is true after a SIGKILL: each destination that it named has the row, and is
 * restored alone. Planted errors must be found.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { CORE_SRC, plant, type Planted } from '../../packages/core/test/support/mutant.ts';
import { restore } from '@sluice/core';
import { openFolder } from '../support/replica.ts';
import { temporaryFolder } from '../support/temporary.ts';

const ROUNDS = 3;
const PLANTED_ROUNDS_MAX = 20;
/** Acknowledged rows before a kill. */
const ROWS = 60;
const TIMEOUT_MS = 240_000;

const PLANTED: Readonly<Record<string, readonly Planted[]>> = {
  'a destination counts before it has the file': [
    {
      file: 'replicate/durable/progress.ts',
      find: '(destination.txid ?? -1n) >= txid',
      replace: '(destination.txid ?? -1n) >= txid - 1n',
    },
  ],
  'a caller that comes during a cut belongs to it': [
    {
      file: 'replicate/durable/durability.ts',
      find: 'for (const waiter of group) waiter.txid = txid;',
      replace: 'for (const waiter of this.#uncut) waiter.txid = txid;',
    },
  ],
};

/** Kills the process when some rows are durable. Returns the rows by the names of their destinations. */
async function runUntilKilled(src: string, folder: string): Promise<Map<string, number[]>> {
  const host = path.join(import.meta.dirname, 'durable-host.ts');
  const child = spawn(process.execPath, [host, src, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  let output = '';
  child.stdout.setEncoding('utf8');
  const enough = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: string) => {
      output += chunk;
      if (output.split('\n').length > ROWS) resolve();
    });
  });
  await Promise.race([enough, closed]);
  expect(child.exitCode).toBeNull(); // it ends only by a kill
  await sleep(Math.random() * 100);
  child.kill('SIGKILL');
  await closed;
  const rows = new Map<string, number[]>([
    ['a', []],
    ['b', []],
  ]);
  for (const line of output.split('\n').slice(0, -1)) {
    const [row, ...names] = line.split(' ');
    for (const name of names) rows.get(name)?.push(Number(row));
  }
  return rows;
}

/** The acknowledged rows that a destination lacks. */
async function missingRows(
  folder: string,
  name: string,
  rows: readonly number[],
): Promise<number[]> {
  const output = path.join(temporaryFolder('durable'), 'restored.db');
  const { client } = await openFolder(path.join(folder, name));
  await restore({ sources: [{ name, client }], output, target: { kind: 'latest' } });
  const db = new Database(output, { readonly: true });
  try {
    const found = new Set(db.prepare('SELECT v FROM t').pluck().all());
    return rows.filter((row) => !found.has(row));
  } finally {
    db.close();
  }
}

/** Runs on, with the same database and destinations, until rows are missing. */
async function findMissing(src: string, rounds: number): Promise<string | undefined> {
  const folder = temporaryFolder('durable');
  for (let round = 1; round <= rounds; round++) {
    const rows = await runUntilKilled(src, folder);
    for (const [name, acknowledged] of rows) {
      expect(acknowledged.length).toBeGreaterThan(0);
      const missing = await missingRows(folder, name, acknowledged);
      if (missing.length > 0) return `round ${round}: ${name} lacks ${missing.join(', ')}`;
    }
  }
  return undefined;
}

test(
  'every row is at each destination that was named, after a kill at any moment',
  async () => {
    expect(await findMissing(CORE_SRC, ROUNDS)).toBeUndefined();
  },
  TIMEOUT_MS,
);

describe('a planted error is found', () => {
  test.each(Object.entries(PLANTED))(
    '%s',
    async (name, planted) => {
      const mutant = plant(`durable-${name.replaceAll(' ', '-')}`, planted);
      try {
        expect(await findMissing(mutant.src, PLANTED_ROUNDS_MAX)).toBeDefined();
      } finally {
        mutant.remove();
      }
    },
    TIMEOUT_MS,
  );
});
