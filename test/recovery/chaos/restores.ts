/** Restores of one destination alone, without its proxy, compared with the ledger. */

import fs from 'node:fs';
import path from 'node:path';
import { isError, messageOf, restore } from '@sluice/core';
import { formatTXID } from '@sluice/core/ltx';
import type { Reported } from '../kill-loop/events.ts';
import { bytesOf, verifyFile } from '../kill-loop/verify.ts';
import type { ChaosDestination } from './servers.ts';

export interface Expected {
  readonly folder: string;
  /** Called after the restore, so that it has all transactions in it. */
  readonly readAttempted: () => ReadonlySet<string>;
  readonly reported: Reported | undefined;
}

/** Returns what is wrong: an acknowledged row is missing, or a state was never committed. */
export async function verifyDestination(
  destination: ChaosDestination,
  { folder, readAttempted, reported }: Expected,
): Promise<string | undefined> {
  const output = path.join(folder, `restored-${destination.name}.db`);
  try {
    const txid = await restoreTo(destination, output);
    if (reported !== undefined && txid < reported.txid) {
      const named = formatTXID(reported.txid);
      return `${destination.name}: ${named} was confirmed, ${formatTXID(txid)} was restored`;
    }
  } catch (error) {
    const isNone =
      isError(error, 'RESTORE_NO_SNAPSHOT') || isError(error, 'REPLICA_DESTINATION_NOT_FOUND');
    if (isNone && reported === undefined) return undefined;
    return `${destination.name}: restore: ${messageOf(error)}`;
  }
  const why = verifyFile({ output, reported, attempted: readAttempted() });
  return why && `${destination.name}: ${why}`;
}

/** Returns how the restored state differs from the database, which nobody may change meanwhile. */
export async function compareWithDatabase(
  destination: ChaosDestination,
  folder: string,
  database: string,
): Promise<string | undefined> {
  const output = path.join(folder, `compared-${destination.name}.db`);
  await restoreTo(destination, output);
  const isEqual = fs.readFileSync(output).equals(bytesOf(database));
  return isEqual ? undefined : `${destination.name}: the last state differs from the database`;
}

/** Returns the restored TXID. */
async function restoreTo(destination: ChaosDestination, output: string): Promise<bigint> {
  const { client, close } = await destination.open();
  try {
    const { txid } = await restore({
      sources: [{ name: destination.name, client }],
      output,
      target: { kind: 'latest' },
      overwrite: 'replace',
    });
    return BigInt(`0x${txid}`);
  } finally {
    await close();
  }
}
