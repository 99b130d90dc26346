/**
 * A replicator in a separate process that will be killed. It writes claims about replicated
 * transactions synchronously: the ledger's `totals` before a sync, once a destination has the TXID of
 * that sync, and earlier `totals` for which status says that all older commits are confirmed.
 *
 * The parent process reads `totals`: a connection here would keep the locks and the wal-index of files
 * that the replicator closes. The folder of core's code (`dist` or `src`) is an argument, so that code
 * with a planted error can be run. The clock of this process can be moved (test-clock.ts).
 */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { type DatabaseOptions, type Replicator, type ReplicaTarget } from '@sluice/core';
import { backend as file } from '@sluice/file';
import { withFault, type Fault } from '../faults.ts';
import { DIED, type HostEvent } from './events.ts';
import type { Totals } from './ledger.ts';
import { setClockOffset } from './test-clock.ts';
import { parseConfig } from '@sluice/core/backend';

export interface HostArguments {
  readonly code: string;
  readonly database: string;
  readonly options: Partial<DatabaseOptions>;
  readonly reportFile: string;
  readonly destinations: readonly { readonly folder: string; readonly fault: Fault }[];
  readonly clockOffsetMs: number;
}

export type HostOrder =
  /** Reply to the question with the same `call`. */
  | { readonly kind: 'totals'; readonly call: number; readonly totals?: Totals | undefined }
  | { readonly kind: 'clock'; readonly offsetMs: number }
  /** With `none`, files are cut only by the replicator's own schedule. */
  | { readonly kind: 'syncs'; readonly mode: 'often' | 'none' }
  | { readonly kind: 'settle'; readonly call: number }
  /** Stops as on SIGTERM: final sync, close, exit. */
  | { readonly kind: 'stop' };

export type HostQuestion =
  | { readonly kind: 'totals'; readonly call: number }
  | { readonly kind: 'settled'; readonly call: number; readonly settled: Settled };

/** Destinations that have, and report, every commit made before the `settle` order. */
export interface Settled {
  readonly inSync: readonly boolean[];
}

/** Maximum random pause between claims. */
const PAUSE_MS_MAX = 100;
/** Safety margin between the age in the status and the time of the read. */
const MARGIN_MS = 20;
/** Maximum age of remembered `totals`. Older ones make weak claims. */
const SEEN_MS_MAX = 30_000;
const WATCH_EVERY_MS = 100;
const SETTLE_MS_MAX = 2_000;
const DRAIN = { shutdownSyncTimeoutMs: 3_000, shutdownSyncIntervalMs: 100 };

const { code, database, options, reportFile, destinations, clockOffsetMs } = JSON.parse(
  process.argv[2] ?? '{}',
) as HostArguments;
setClockOffset(clockOffsetMs);
const reportDescriptor = fs.openSync(reportFile, 'a');
const report = (event: HostEvent): void =>
  void fs.writeSync(reportDescriptor, `${JSON.stringify(event)}\n`);
const logger = {
  debug: () => undefined,
  info: (message: string) => report({ kind: 'log', message }),
  warn: (message: string) => report({ kind: 'log', message }),
  error: (message: string, fields?: { code?: unknown }) =>
    report({ kind: 'error', message, code: String(fields?.code) }),
};
const crash = (error: Error): never => {
  report({ kind: 'error', message: error.stack ?? error.message, code: DIED });
  process.exit(70);
};
process.on('uncaughtException', crash);
process.on('disconnect', () => process.exit());

const questions = new Map<number, (totals: Totals | undefined) => void>();
let question = 0;
let syncs: 'often' | 'none' = 'often';
const stopping = new AbortController();

const replicator = await start();
process.on('message', (order: HostOrder) => void handleOrder(order));
await Promise.all([...destinations.map((_, index) => claimSyncs(index)), claimStatus()]);

async function start(): Promise<Replicator> {
  const extension = path.basename(code) === 'src' ? '.ts' : '.js';
  const load = async (name: string): Promise<unknown> =>
    await import(pathToFileURL(path.join(code, name + extension)).href);
  type Core = typeof import('@sluice/core');
  const { replicate } = (await load('replicate/replicate')) as Pick<Core, 'replicate'>;
  const { Destination } = (await load('replica/destination')) as Pick<Core, 'Destination'>;
  const targets = destinations.map(({ folder, fault }, index): ReplicaTarget => ({
    name: `at-${index}`,
    type: 'file',
    target: `file://${folder}`,
    open: async () => {
      const { config, path: replica } = parseConfig(file, { type: 'file', path: folder });
      const destination = await file.connect(config, { logger, access: 'write' });
      const wrapped = new Destination(withFault(destination, () => fault));
      return { client: wrapped.replica(replica), capabilities: wrapped.capabilities };
    },
  }));
  const databases = [{ options: { path: database, ...options }, targets }];
  try {
    return await replicate({ databases, logger, onCrash: crash });
  } catch (error) {
    return crash(error as Error);
  }
}

async function handleOrder(order: HostOrder): Promise<void> {
  switch (order.kind) {
    case 'totals':
      questions.get(order.call)?.(order.totals);
      questions.delete(order.call);
      return;
    case 'clock':
      setClockOffset(order.offsetMs);
      return;
    case 'syncs':
      syncs = order.mode;
      return;
    case 'settle':
      answer({ kind: 'settled', call: order.call, settled: await settle() });
      return;
    case 'stop':
      await stop();
  }
}

function answer(message: HostQuestion): void {
  if (process.connected) process.send?.(message);
}

/** Returns undefined if the database cannot be read. */
async function readTotals(): Promise<Totals | undefined> {
  const call = question++;
  const answered = new Promise<Totals | undefined>((resolve) => questions.set(call, resolve));
  answer({ kind: 'totals', call });
  return await answered;
}

function claim(
  by: 'sync' | 'status' | 'drain',
  destination: number,
  txid: bigint,
  totals: Totals,
): void {
  const { era, seq, rows } = totals;
  // Date.now() may have been moved by the test.
  const at = performance.timeOrigin + performance.now();
  report({ kind: 'replicated', by, destination, txid: txid.toString(), era, seq, rows, at });
}

/** Claims completed syncs until the process stops. Destinations do not wait for each other. */
async function claimSyncs(destination: number): Promise<void> {
  while (!stopping.signal.aborted) {
    const totals = syncs === 'often' ? await readTotals() : undefined;
    const txid = totals === undefined ? undefined : await sync();
    if (totals !== undefined && txid !== undefined) {
      await waitForTXID(destination, txid);
      if (txidAt(destination) >= txid) claim('sync', destination, txid, totals);
    }
    await sleep(txid === undefined ? PAUSE_MS_MAX : Math.random() * PAUSE_MS_MAX);
  }
}

/** Returns undefined if the commits cannot be cut now. The replicator logs the reason. */
async function sync(): Promise<bigint | undefined> {
  try {
    return (await replicator.execute({ kind: 'sync', path: database })).txid;
  } catch (error) {
    report({ kind: 'log', message: `sync: ${(error as Error).message}` });
    return undefined;
  }
}

async function waitForTXID(destination: number, txid: bigint): Promise<void> {
  while (!stopping.signal.aborted && txidAt(destination) < txid) await sleep(5);
}

function txidAt(destination: number): bigint {
  const at = replicator.status()[0]?.destinations[destination]?.txid;
  return at === undefined ? -1n : BigInt(`0x${at}`);
}

/** Claims transactions that status reports as confirmed at a destination. */
async function claimStatus(): Promise<void> {
  let seen: { totals: Totals; at: number }[] = [];
  while (!stopping.signal.aborted) {
    const totals = await readTotals();
    const now = performance.now(); // after the read: these totals were committed before `now`
    if (totals !== undefined) seen.push({ totals, at: now });
    seen = seen.filter(({ at }) => at > now - SEEN_MS_MAX);
    for (const destination of destinations.keys()) {
      const before = performance.now(); // this process may be suspended during the next call
      const { confirmedAgeMs = Infinity } =
        replicator.status()[0]?.facts.destinations[destination] ?? {};
      const confirmedAt = before - confirmedAgeMs - MARGIN_MS;
      const old = seen.findLast(({ at }) => at < confirmedAt);
      if (old !== undefined && isHealthy(destination)) {
        claim('status', destination, txidAt(destination), old.totals);
      }
    }
    await sleep(WATCH_EVERY_MS);
  }
}

/** Whether the status shows no problem at this destination. */
function isHealthy(destination: number): boolean {
  const [status] = replicator.status();
  const at = status?.destinations[destination];
  if (status === undefined || at === undefined) return false;
  if (status.state !== 'following' || status.error !== undefined) return false;
  return at.state === 'streaming' && at.damage === undefined;
}

async function settle(): Promise<Settled> {
  const txid = await sync();
  const deadline = performance.now() + SETTLE_MS_MAX;
  const hasAll = (destination: number): boolean =>
    txid !== undefined && txidAt(destination) >= txid && isHealthy(destination);
  const all = [...destinations.keys()];
  while (performance.now() < deadline && !all.every(hasAll)) await sleep(10);
  return { inSync: all.map(hasAll) };
}

async function stop(): Promise<void> {
  const totals = await readTotals();
  stopping.abort();
  const { databases } = await replicator.drain(DRAIN);
  for (const [destination, { complete, txid }] of (databases[0]?.destinations ?? []).entries()) {
    if (complete === 'complete' && totals !== undefined && txid !== undefined) {
      claim('drain', destination, BigInt(`0x${txid}`), totals);
    }
  }
  await replicator.close();
  process.exit(0);
}
