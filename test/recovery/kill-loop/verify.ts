/**
 * Verifies the restore of one destination against the claims about it and the attempted transactions,
 * using the ledger.
 */

import fs from 'node:fs';
import { isError, messageOf, restore } from '@sluice/core';
import { formatTXID } from '@sluice/core/ltx';
import Database from 'better-sqlite3';
import { openFolder } from '../../support/replica.ts';
import { restoreWithLitestream } from '../rival.ts';
import type { Damage } from './claims.ts';
import { isOlder, type Reported } from './events.ts';
import { BULK_ROWS, attemptLine, sumOf, TOTALS, type Totals } from './ledger.ts';

export interface VerifyInput {
  readonly folder: string;
  readonly output: string;
  /** The strongest claim about the destination, if there is any. */
  readonly reported: Reported | undefined;
  /** `totals` as each attempted transaction would leave them, one line each. */
  readonly attempted: ReadonlySet<string>;
  readonly damage: Damage;
}

/** Returns the broken promise, or undefined if there is none. */
export async function verifyRestore(input: VerifyInput): Promise<string | undefined> {
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
    const reported = formatTXID(input.reported.txid);
    return `TXID ${reported} was reported, TXID ${formatTXID(txid)} was restored`;
  }
  const why = verifyFile(input);
  if (why === undefined) return undefined;
  const reported = input.reported === undefined ? 'none' : formatTXID(input.reported.txid);
  return `${why} (TXID ${formatTXID(txid)} was restored, ${reported} was reported)`;
}

type RestorePaths = Pick<VerifyInput, 'folder' | 'output'>;

/** Restores to `output`. Returns the restored TXID. */
export async function restoreLatest({ folder, output }: RestorePaths): Promise<bigint> {
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

/** Checks that Litestream restores the folder to the same bytes as `output`. */
export function crossCheck(binary: string, { folder, output }: RestorePaths): string | undefined {
  const theirs = `${output}-litestream`;
  if (!fs.existsSync(output)) return undefined;
  const refused = restoreWithLitestream(binary, folder, theirs);
  if (refused !== undefined) return `Litestream: ${refused}`;
  const isEqual = fs.readFileSync(output).equals(fs.readFileSync(theirs));
  return isEqual ? undefined : 'Litestream restores different bytes';
}

/** Verifies a restored file. */
export function verifyFile({
  output,
  reported,
  attempted,
}: Pick<VerifyInput, 'output' | 'reported' | 'attempted'>): string | undefined {
  const copy = `${output}-verify`;
  fs.copyFileSync(output, copy); // opening the original could change its header or leave a WAL
  try {
    const database = new Database(copy, { fileMustExist: true });
    try {
      return verifyRows(database, reported, attempted);
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

/** Uses a read-only connection, which does not delete the WAL when it is the last one to close. */
export function verifyLive(file: string, readAttempted: () => ReadonlySet<string>): Live {
  try {
    const database = new Database(file, { readonly: true, timeout: 5000 });
    try {
      database.exec('BEGIN');
      const totals = database.prepare(TOTALS).get() as Totals; // starts the read transaction
      const why = verifyRows(database, undefined, readAttempted());
      return why === undefined ? { kind: 'sound', totals } : { kind: 'unsound', why };
    } finally {
      database.close();
    }
  } catch (error) {
    return { kind: 'unsound', why: messageOf(error) };
  }
}

/**
 * Bytes of the database file as if everything were checkpointed. A connection that has not read yet
 * takes the page size from the file, and serializes garbage if the WAL has another page size.
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

function verifyRows(
  database: Database.Database,
  reported: Reported | undefined,
  attempted: ReadonlySet<string>,
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
      `the last one found is ${seq} of era ${era}`
    );
  }
  const isNew = era === 1 && seq === 0;
  if (!isNew && !attempted.has(attemptLine(totals))) {
    return `transaction ${seq} of era ${era} (${rows} rows) was never attempted`;
  }
  return verifyLedger(database, totals) ?? verifyBulk(database, totals);
}

function verifyLedger(database: Database.Database, totals: Totals): string | undefined {
  let id = 0;
  let versions = 0;
  for (const found of database.prepare('SELECT * FROM ledger ORDER BY id').iterate()) {
    const row = found as Row;
    id += 1;
    versions += row.version;
    if (row.id !== id) return `row ${id} is missing, row ${row.id} comes next`;
    if (sumOf(id, row.version, row.payload) !== row.sum) return `row ${id} has a wrong checksum`;
  }
  if (id !== totals.rows) return `${totals.rows} rows were committed, ${id} were found`;
  if (versions !== totals.versions) {
    return `${totals.versions} versions were committed, ${versions} were found: a page is stale`;
  }
  return undefined;
}

/** The n-th large transaction wrote version n to every row of part n % 2. */
function verifyBulk(database: Database.Database, { bulk }: Totals): string | undefined {
  const select = database.prepare('SELECT * FROM bulk WHERE part = ? ORDER BY id');
  for (const version of [bulk, bulk - 1].filter((written) => written > 0)) {
    const rows = select.all(version % 2) as Row[];
    if (rows.length !== BULK_ROWS) {
      return `large transaction ${version} wrote ${BULK_ROWS} rows, ${rows.length} were found`;
    }
    for (const row of rows) {
      const isWhole = sumOf(row.id, version, row.payload) === row.sum;
      if (row.version !== version || !isWhole) {
        return `row ${row.id} of large transaction ${version} is stale or has a wrong checksum`;
      }
    }
  }
  return undefined;
}
