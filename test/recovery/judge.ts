/** Restores one destination alone and judges what came back against what was reported and tried. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { isError, messageOf, restore } from '@sluice/core';
import Database from 'better-sqlite3';
import { openFolder } from '../support/replica.ts';

export interface Reported {
  readonly txid: bigint;
  readonly row: number;
  readonly at: number;
}

export interface JudgeInput {
  readonly folder: string;
  readonly output: string;
  /** The last that was reported as replicated there; undefined where nothing was. */
  readonly reported: Reported | undefined;
  /** The highest row that was ever tried. */
  readonly tried: number;
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

/** The same for a file that somebody else restored. */
export function judgeFile({ output, reported, tried }: JudgeInput): string | undefined {
  try {
    return judgeRows(output, reported?.row ?? 0, tried);
  } catch (error) {
    return messageOf(error);
  } finally {
    for (const side of ['-wal', '-shm']) fs.rmSync(`${output}${side}`, { force: true });
  }
}

interface LedgerRow {
  readonly id: number;
  readonly payload: Buffer;
  readonly sum: string;
}

function judgeRows(output: string, reported: number, tried: number): string | undefined {
  const database = new Database(output, { fileMustExist: true });
  try {
    const check = database.pragma('integrity_check(1)', { simple: true });
    if (check !== 'ok') return `integrity_check: ${String(check)}`;
    const hasLedger = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'ledger'").get();
    if (hasLedger === undefined) return reported > 0 ? 'the ledger is missing' : undefined;
    let expected = 1;
    for (const row of database.prepare('SELECT * FROM ledger ORDER BY id').iterate()) {
      const { id, payload, sum } = row as LedgerRow;
      if (id !== expected) return `row ${expected} is missing, ${id} is there`;
      const right = createHash('sha256').update(`${id}`).update(payload).digest('hex');
      if (right !== sum) return `row ${id} is not what was written`;
      expected += 1;
    }
    if (expected - 1 < reported) return `row ${reported} was reported, ${expected - 1} is the last`;
    if (expected - 1 > tried) return `row ${expected - 1} was never tried`;
    return undefined;
  } finally {
    database.close();
  }
}
