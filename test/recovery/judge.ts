/** Restores one destination alone and judges what came back against what was reported and tried. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { isError, messageOf, restore } from '@sluice/core';
import Database from 'better-sqlite3';
import { openFolder } from '../support/replica.ts';
import type { Reported } from './events.ts';
import { restoreWithLitestream } from './rival.ts';

export interface JudgeInput {
  readonly folder: string;
  readonly output: string;
  /** The last that was reported as replicated there; undefined where nothing was. */
  readonly reported: Reported | undefined;
  /** What each transaction that was tried would make of `totals`, a line each. */
  readonly tried: ReadonlySet<string>;
}

/** undefined where everything holds, else what does not. */
export async function judge(input: JudgeInput): Promise<string | undefined> {
  const { client } = await openFolder(input.folder);
  let txid: string;
  try {
    const target = { kind: 'latest' } as const;
    ({ txid } = await restore({ client, output: input.output, target, overwrite: 'replace' }));
  } catch (error) {
    const isNone =
      isError(error, 'RESTORE_NO_SNAPSHOT') || isError(error, 'REPLICA_DESTINATION_NOT_FOUND');
    if (isNone && input.reported === undefined) return undefined;
    return `restore: ${messageOf(error)}`;
  }
  if (input.reported !== undefined && BigInt(`0x${txid}`) < input.reported.txid) {
    return `TXID ${input.reported.txid} was reported, ${BigInt(`0x${txid}`)} is there`;
  }
  return judgeFile(input);
}

/** The same for Litestream: it restores what is there, to the same bytes as in `output`. */
export function crossCheck(binary: string, { folder, output }: JudgeInput): string | undefined {
  const theirs = `${output}-litestream`;
  if (!fs.existsSync(output)) return undefined;
  const refused = restoreWithLitestream(binary, folder, theirs);
  if (refused !== undefined) return `Litestream: ${refused}`;
  const isEqual = fs.readFileSync(output).equals(fs.readFileSync(theirs));
  return isEqual ? undefined : 'Litestream restores other bytes';
}

/** The same for a file that somebody else restored. */
export function judgeFile({ output, reported, tried }: JudgeInput): string | undefined {
  const copy = `${output}-judged`;
  try {
    fs.copyFileSync(output, copy); // opening it would switch bytes in its header, or leave a WAL
    return judgeRows(copy, reported, tried);
  } catch (error) {
    return messageOf(error);
  } finally {
    for (const side of ['', '-wal', '-shm']) fs.rmSync(`${copy}${side}`, { force: true });
  }
}

interface LedgerRow {
  readonly id: number;
  readonly version: number;
  readonly payload: Buffer;
  readonly sum: string;
}

interface Totals {
  readonly seq: number;
  readonly rows: number;
  readonly versions: number;
}

function judgeRows(
  file: string,
  reported: Reported | undefined,
  tried: ReadonlySet<string>,
): string | undefined {
  const database = new Database(file, { fileMustExist: true });
  try {
    const check = database.pragma('integrity_check(1)', { simple: true });
    if (check !== 'ok') return `integrity_check: ${String(check)}`;
    const known = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'totals'").get();
    const totals =
      known === undefined
        ? undefined
        : (database.prepare('SELECT * FROM totals').get() as Totals | undefined);
    if (totals === undefined) return reported === undefined ? undefined : 'the ledger is missing';
    const { seq, rows, versions } = totals;
    if (reported !== undefined && (seq < reported.seq || rows < reported.rows)) {
      return `transaction ${reported.seq} was reported, ${seq} is the last`;
    }
    if (seq > 0 && !tried.has(`${seq} ${rows} ${versions}`)) {
      return `transaction ${seq} (${rows} rows, ${versions} versions) was never tried`;
    }
    return judgeLedger(database, totals);
  } finally {
    database.close();
  }
}

function judgeLedger(database: Database.Database, totals: Totals): string | undefined {
  let id = 0;
  let versions = 0;
  for (const found of database.prepare('SELECT * FROM ledger ORDER BY id').iterate()) {
    const row = found as LedgerRow;
    id += 1;
    versions += row.version;
    if (row.id !== id) return `row ${id} is missing, ${row.id} is there`;
    const hash = createHash('sha256').update(`${id} ${row.version} `).update(row.payload);
    if (hash.digest('hex') !== row.sum) return `row ${id} is not what was written`;
  }
  if (id !== totals.rows) return `${totals.rows} rows were committed, ${id} are there`;
  if (versions !== totals.versions) {
    return `${totals.versions} versions were committed, ${versions} are there: a page is stale`;
  }
  return undefined;
}
