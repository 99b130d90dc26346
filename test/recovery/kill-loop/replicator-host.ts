/**
 * A replicator in a process of its own, to be killed. It claims, synchronously, what is replicated:
 * what the ledger's `totals` said before a sync, once a destination has the TXID of that sync; and what
 * they said a while ago, where status says that every commit older than that is confirmed there.
 *
 * `totals` are read by the parent process: a connection here would keep the locks and the wal-index
 * of files that the replicator lets go of. The folder of core's code is an argument (`dist`, or `src`),
 * so that one with a planted error can be run. The clock of this process can be moved (test-clock.ts).
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
  /** Answers a question of the same call. */
  | { readonly kind: 'totals'; readonly call: number; readonly totals?: Totals | undefined }
  | { readonly kind: 'clock'; readonly offsetMs: number }
  /** Without syncs files are cut when the replicator wants to. */
  | { readonly kind: 'syncs'; readonly mode: 'often' | 'none' }
  | { readonly kind: 'settle'; readonly call: number }
  /** As at a SIGTERM: brings everything up to date, lets go, ends. */
  | { readonly kind: 'stop' };

export type HostQuestion =
  | { readonly kind: 'totals'; readonly call: number }
  | { readonly kind: 'settled'; readonly call: number; readonly settled: Settled };

/** Which destinations have everything that was committed when it was asked, and say so. */
export interface Settled {
  readonly inSync: readonly boolean[];
}

/** A claim is made at most so long after the one before: sometimes it hurries, sometimes not. */
const PAUSE_MS_MAX = 100;
/** Between what status says and what was read before lies the time of a call. */
const MARGIN_MS = 20;
/** How long ago what was read of the ledger is remembered: claims that are older say little. */
const SEEN_MS_MAX = 30_000;
const WATCH_EVERY_MS = 100;
const SETTLE_MS_MAX = 2_000;
const DRAIN = { shutdownSyncTimeoutMs: 3_000, shutdownSyncIntervalMs: 100 };

const { code, database, options, reportFile, destinations, clockOffsetMs } = JSON.parse(
  process.argv[2] ?? '{}',
) as HostArguments;
setClockOffset(clockOffsetMs);
const report = fs.openSync(reportFile, 'a');
const tell = (event: HostEvent): void => void fs.writeSync(report, `${JSON.stringify(event)}\n`);
const logger = {
  debug: () => undefined,
  info: (message: string) => tell({ kind: 'log', message }),
  warn: (message: string) => tell({ kind: 'log', message }),
  error: (message: string, fields?: { code?: unknown }) =>
    tell({ kind: 'error', message, code: String(fields?.code) }),
};
const die = (error: Error): never => {
  tell({ kind: 'error', message: error.stack ?? error.message, code: DIED });
  process.exit(70);
};
process.on('uncaughtException', die);
process.on('disconnect', () => process.exit());

const questions = new Map<number, (totals: Totals | undefined) => void>();
let question = 0;
let syncs: 'often' | 'none' = 'often';
const stopping = new AbortController();

const replicator = await start();
process.on('message', (order: HostOrder) => void carryOut(order));
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
    return await replicate({ databases, logger, onCrash: die });
  } catch (error) {
    return die(error as Error);
  }
}

async function carryOut(order: HostOrder): Promise<void> {
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

/** undefined where the database cannot be read. */
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
  // Not Date.now(), which a test may have moved.
  const at = performance.timeOrigin + performance.now();
  tell({ kind: 'replicated', by, destination, txid: txid.toString(), era, seq, rows, at });
}

/** For as long as the process lives; destinations do not wait for each other. */
async function claimSyncs(destination: number): Promise<void> {
  while (!stopping.signal.aborted) {
    const totals = syncs === 'often' ? await readTotals() : undefined;
    const txid = totals === undefined ? undefined : await sync();
    if (totals !== undefined && txid !== undefined) {
      await untilThere(destination, txid);
      if (txidAt(destination) >= txid) claim('sync', destination, txid, totals);
    }
    await sleep(txid === undefined ? PAUSE_MS_MAX : Math.random() * PAUSE_MS_MAX);
  }
}

/** undefined where what is committed cannot be cut now: the replicator says why by itself. */
async function sync(): Promise<bigint | undefined> {
  try {
    return (await replicator.execute({ kind: 'sync', path: database })).txid;
  } catch (error) {
    tell({ kind: 'log', message: `sync: ${(error as Error).message}` });
    return undefined;
  }
}

async function untilThere(destination: number, txid: bigint): Promise<void> {
  while (!stopping.signal.aborted && txidAt(destination) < txid) await sleep(5);
}

function txidAt(destination: number): bigint {
  const at = replicator.status()[0]?.destinations[destination]?.txid;
  return at === undefined ? -1n : BigInt(`0x${at}`);
}

/** Status says of each destination: every commit older than so much is confirmed there. */
async function claimStatus(): Promise<void> {
  let seen: { totals: Totals; at: number }[] = [];
  while (!stopping.signal.aborted) {
    const totals = await readTotals();
    const now = performance.now(); // after it was read: what it says was committed before
    if (totals !== undefined) seen.push({ totals, at: now });
    seen = seen.filter(({ at }) => at > now - SEEN_MS_MAX);
    for (const destination of destinations.keys()) {
      const { confirmedAgeMs = Infinity } =
        replicator.status()[0]?.facts.destinations[destination] ?? {};
      const confirmedAt = performance.now() - confirmedAgeMs - MARGIN_MS;
      const old = seen.findLast(({ at }) => at < confirmedAt);
      if (old !== undefined && isWell(destination)) {
        claim('status', destination, txidAt(destination), old.totals);
      }
    }
    await sleep(WATCH_EVERY_MS);
  }
}

/** Whether status says, in all that it says, that nothing is amiss at this destination. */
function isWell(destination: number): boolean {
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
    txid !== undefined && txidAt(destination) >= txid && isWell(destination);
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
