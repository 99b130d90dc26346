/**
 * Judges what a destination gives back, alone, against what was claimed and tried: by the ledger, or
 * byte for byte against what SQLite shows of the database.
 */

import fs from 'node:fs';
import { isError, messageOf, restore } from '@sluice/core';
import Database from 'better-sqlite3';
import { openFolder } from '../../support/replica.ts';
import { restoreWithLitestream } from '../rival.ts';
import type { Damage } from './claims.ts';
import { isOlder, type Reported } from './events.ts';
import { BULK_ROWS, noteOf, sumOf, TOTALS, type Totals } from './ledger.ts';

export interface JudgeInput {
  readonly folder: string;
  readonly output: string;
  /** The most that was claimed to be there; undefined where nothing was. */
  readonly reported: Reported | undefined;
  /** What each transaction that was tried would make of `totals`, a line each. */
  readonly tried: ReadonlySet<string>;
  readonly damage: Damage;
}

/** undefined where everything holds, else what does not. */
export async function judge(input: JudgeInput): Promise<string | undefined> {
  if (input.damage === 'mixed') return undefined;
  let txid: bigint;
  try {
    txid = await restoreLatest(input);
  } catch (error) {
    if (input.damage === 'lost files') return undefined;
    const isNone =
      isError(error, 'RESTORE_NO_SNAPSHOT') || isError(error, 'REPLICA_DESTINATION_NOT_FOUND');
    if (isNone && input.reported === undefined) return undefined;
    return `restore: ${messageOf(error)}`;
  }
  if (input.reported !== undefined && txid < input.reported.txid) {
    return `TXID ${input.reported.txid} was reported, ${txid} is there`;
  }
  return judgeFile(input);
}

type Place = Pick<JudgeInput, 'folder' | 'output'>;

/** Restores to `output`. Gives the TXID of it. */
export async function restoreLatest({ folder, output }: Place): Promise<bigint> {
  const { client } = await openFolder(folder);
  const target = { kind: 'latest' } as const;
  const { txid } = await restore({
    sources: [{ name: 'one', client }],
    output,
    target,
    overwrite: 'replace',
  });
  return BigInt(`0x${txid}`);
}

/** The same for Litestream: it restores what is there, to the same bytes as in `output`. */
export function crossCheck(binary: string, { folder, output }: Place): string | undefined {
  const theirs = `${output}-litestream`;
  if (!fs.existsSync(output)) return undefined;
  const refused = restoreWithLitestream(binary, folder, theirs);
  if (refused !== undefined) return `Litestream: ${refused}`;
  const isEqual = fs.readFileSync(output).equals(fs.readFileSync(theirs));
  return isEqual ? undefined : 'Litestream restores other bytes';
}

/** The same for a file that somebody else restored. */
export function judgeFile({
  output,
  reported,
  tried,
}: Pick<JudgeInput, 'output' | 'reported' | 'tried'>): string | undefined {
  const copy = `${output}-judged`;
  fs.copyFileSync(output, copy); // opening it would switch bytes in its header, or leave a WAL
  try {
    const database = new Database(copy, { fileMustExist: true });
    try {
      return judgeRows(database, reported, tried);
    } finally {
      database.close();
    }
  } catch (error) {
    return messageOf(error);
  } finally {
    for (const side of ['', '-wal', '-shm']) fs.rmSync(`${copy}${side}`, { force: true });
  }
}

/** The database as SQLite shows it to an application that opens it now. */
export type Live =
  | { readonly kind: 'sound'; readonly totals: Totals }
  | { readonly kind: 'unsound'; readonly why: string };

/** A connection that can only read leaves the log where it is, also as the last one. */
export function judgeLive(file: string, readTried: () => ReadonlySet<string>): Live {
  try {
    const database = new Database(file, { readonly: true, timeout: 5000 });
    try {
      database.exec('BEGIN');
      const totals = database.prepare(TOTALS).get() as Totals; // from here on it stands still for us
      const why = judgeRows(database, undefined, readTried());
      return why === undefined ? { kind: 'sound', totals } : { kind: 'unsound', why };
    } finally {
      database.close();
    }
  } catch (error) {
    return { kind: 'unsound', why: messageOf(error) };
  }
}

/**
 * The bytes of the database file, as if everything were checkpointed. A connection that has not read
 * yet takes the page size from the file, and serializes nonsense where the log has pages of another.
 */
export function bytesOf(file: string): Buffer {
  const database = new Database(file, { readonly: true, timeout: 5000 });
  try {
    readFirst(database);
    return database.serialize();
  } finally {
    database.close();
  }
}

function readFirst(database: Database.Database): void {
  try {
    database.pragma('page_count');
  } catch (error) {
    if (!String((error as { code?: unknown }).code).startsWith('SQLITE_CORRUPT')) throw error;
  }
}

interface Row {
  readonly id: number;
  readonly version: number;
  readonly payload: Buffer;
  readonly sum: string;
}

function judgeRows(
  database: Database.Database,
  reported: Reported | undefined,
  tried: ReadonlySet<string>,
): string | undefined {
  const check = database.pragma('integrity_check(1)', { simple: true });
  if (check !== 'ok') return `integrity_check: ${String(check)}`;
  const known = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'totals'").get();
  const totals =
    known === undefined ? undefined : (database.prepare(TOTALS).get() as Totals | undefined);
  if (totals === undefined) return reported === undefined ? undefined : 'the ledger is missing';
  const { era, seq, rows } = totals;
  if (reported !== undefined && isOlder(totals, reported)) {
    return (
      `transaction ${reported.seq} of era ${reported.era} was reported by ${reported.by}, ` +
      `${seq} of era ${era} is the last`
    );
  }
  const isNew = era === 1 && seq === 0;
  if (!isNew && !tried.has(noteOf(totals))) {
    return `transaction ${seq} of era ${era} (${rows} rows) was never tried`;
  }
  return judgeLedger(database, totals) ?? judgeBulk(database, totals);
}

function judgeLedger(database: Database.Database, totals: Totals): string | undefined {
  let id = 0;
  let versions = 0;
  for (const found of database.prepare('SELECT * FROM ledger ORDER BY id').iterate()) {
    const row = found as Row;
    id += 1;
    versions += row.version;
    if (row.id !== id) return `row ${id} is missing, ${row.id} is there`;
    if (sumOf(id, row.version, row.payload) !== row.sum) return `row ${id} is not what was written`;
  }
  if (id !== totals.rows) return `${totals.rows} rows were committed, ${id} are there`;
  if (versions !== totals.versions) {
    return `${totals.versions} versions were committed, ${versions} are there: a page is stale`;
  }
  return undefined;
}

/** The n-th large transaction wrote version n to every row of part n % 2. */
function judgeBulk(database: Database.Database, { bulk }: Totals): string | undefined {
  const select = database.prepare('SELECT * FROM bulk WHERE part = ? ORDER BY id');
  for (const version of [bulk, bulk - 1].filter((written) => written > 0)) {
    const rows = select.all(version % 2) as Row[];
    if (rows.length !== BULK_ROWS) {
      return `large transaction ${version} wrote ${BULK_ROWS} rows, ${rows.length} are there`;
    }
    for (const row of rows) {
      const isWhole = sumOf(row.id, version, row.payload) === row.sum;
      if (row.version !== version || !isWhole) {
        return `row ${row.id} of large transaction ${version} is not what was written`;
      }
    }
  }
  return undefined;
}
