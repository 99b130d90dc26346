/**
 * A replicator in a process of its own, to be killed. It reports, synchronously, what is replicated:
 * what the ledger's `totals` said before a sync, once a destination has the TXID of that sync.
 * The folder of core's code is an argument (`dist`, or `src`), so that one with a planted error can be run.
 */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import type { DatabaseOptions, Replicator, ReplicaTarget } from '@sluice/core';
import { backend as file } from '@sluice/file';
import type { HostEvent } from './events.ts';
import { withFault, type Fault } from './faults.ts';

export interface HostArguments {
  readonly code: string;
  readonly database: string;
  readonly options: Partial<DatabaseOptions>;
  readonly reportFile: string;
  readonly destinations: readonly { readonly folder: string; readonly fault: Fault }[];
}

/** A report is made at most so long after the one before: sometimes it hurries, sometimes not. */
const PAUSE_MS_MAX = 100;

const { code, database, options, reportFile, destinations } = JSON.parse(
  process.argv[2] ?? '{}',
) as HostArguments;
const extension = path.basename(code) === 'src' ? '.ts' : '.js';
const load = async (name: string): Promise<unknown> =>
  await import(pathToFileURL(path.join(code, name + extension)).href);
type Core = typeof import('@sluice/core');
const { replicate } = (await load('replicate/replicate')) as Pick<Core, 'replicate'>;
const { wrapDestination } = (await load('replica/wrap')) as Pick<Core, 'wrapDestination'>;

const report = fs.openSync(reportFile, 'a');
const tell = (event: HostEvent): void => void fs.writeSync(report, `${JSON.stringify(event)}\n`);
const logger = {
  debug: () => undefined,
  info: (message: string) => tell({ kind: 'log', message }),
  warn: (message: string) => tell({ kind: 'log', message }),
  error: (message: string) => tell({ kind: 'error', message }),
};
const die = (error: Error): never => {
  tell({ kind: 'error', message: error.stack ?? error.message });
  process.exit(70);
};
process.on('uncaughtException', die);
process.on('disconnect', () => process.exit());

const targets = destinations.map(({ folder, fault }, index): ReplicaTarget => ({
  name: `at-${index}`,
  type: 'file',
  target: `file://${folder}`,
  open: async () => {
    const { config, path: replica } = file.parse({ type: 'file', path: folder });
    const destination = await file.connect(config, { logger, access: 'write' });
    const wrapped = wrapDestination(withFault(destination, () => fault));
    return { client: wrapped.replica(replica), capabilities: wrapped.capabilities };
  },
}));
const replicator: Replicator = await replicate({
  databases: [{ options: { path: database, ...options }, targets }],
  logger,
  onCrash: die,
});

// Never closed: it shares the process with the connections of the replicator.
const reader = new Database(database, { readonly: true, timeout: 5000 });
const totals = reader.prepare('SELECT seq, rows FROM totals');
await Promise.all(destinations.map((_, index) => reportFor(index)));

/** For as long as the process lives; destinations do not wait for each other. */
async function reportFor(destination: number): Promise<never> {
  for (;;) {
    const { seq, rows } = totals.get() as { seq: number; rows: number };
    const txid = await replicator.sync(database);
    if (txid !== undefined) {
      await untilThere(destination, txid);
      tell({
        kind: 'replicated',
        destination,
        txid: txid.toString(),
        seq,
        rows,
        at: Date.now(),
      });
    }
    await sleep(txid === undefined ? 10 : Math.random() * PAUSE_MS_MAX);
  }
}

async function untilThere(destination: number, txid: bigint): Promise<void> {
  for (;;) {
    const at = replicator.status()[0]?.destinations[destination]?.txid;
    if (at !== undefined && BigInt(`0x${at}`) >= txid) return;
    await sleep(5);
  }
}
