/**
 * Rounds of SIGKILL: a writer with a ledger, checkpoints of every mode, and a replicator that is killed
 * at random moments, sometimes with the writer. After each kill, before the next start, every destination
 * is restored alone: all reported commits must be there, and no row that was never written. In a fifth of
 * the rounds an actor (kill-loop/actors) injects another fault, such as a full disk. Every EPOCH_ROUNDS
 * rounds start over with a new database, another page size and other destinations.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { randomFrom } from '../../packages/core/test/support/random.ts';
import { RESUMED, UNDECIDED } from './kill-loop/events.ts';
import { Epoch, type EpochOptions, type RoundReport } from './kill-loop/epoch.ts';
import { RivalEpoch } from './kill-loop/rival-epoch.ts';

const EPOCH_ROUNDS = 25;
/** Maximum age of the last report at the kill for a round to count as replicating. */
const FRESH_MS = 2_000;

export interface KillLoopOptions extends EpochOptions {
  readonly seed: number;
  readonly rounds: number;
  /** Litestream's binary, to run instead of Sluice. */
  readonly rival?: string | undefined;
  readonly onRound?: ((round: number, report: RoundReport) => void) | undefined;
}

export interface KillLoopReport {
  readonly broken: { readonly round: number; readonly why: string } | undefined;
  readonly rounds: number;
  /** Share of the rounds without an actor in which all healthy destinations had a fresh report. */
  readonly freshShare: number;
  /** Share of the starts that found a WAL and resumed without a full snapshot. */
  readonly resumedShare: number;
  readonly starts: number;
  /** Number of acts by actor (actors/). */
  readonly acts: Readonly<Record<string, number>>;
  /** Number of starts, in rounds without an actor, by how replication continued. */
  readonly beginnings: Readonly<Record<string, number>>;
}

export async function killLoop(options: KillLoopOptions): Promise<KillLoopReport> {
  const random = randomFrom(options.seed);
  const reports: RoundReport[] = [];
  while (reports.length < options.rounds) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-kill-'));
    const { rival } = options;
    const epoch =
      rival === undefined
        ? new Epoch(folder, options, random)
        : new RivalEpoch(folder, rival, random);
    try {
      for (let n = 0; n < EPOCH_ROUNDS && reports.length < options.rounds; n++) {
        const report = await epoch.round();
        reports.push(report);
        options.onRound?.(reports.length, report);
        if (report.broken !== undefined) return sumUp(reports);
      }
    } finally {
      await epoch.end();
      if (process.env['SLUICE_KEEP'] === undefined) fs.rmSync(folder, { recursive: true });
    }
  }
  return sumUp(reports);
}

function sumUp(reports: readonly RoundReport[]): KillLoopReport {
  const why = reports.at(-1)?.broken;
  const kills = reports.filter(({ actor }) => actor === undefined);
  const fresh = kills.filter(({ reportAgeMs }) => reportAgeMs <= FRESH_MS);
  const beginnings = countOf(reports.map(({ beginning }) => beginning));
  const starts = Object.values(beginnings).reduce((sum, count) => sum + count, 0);
  return {
    broken: why === undefined ? undefined : { round: reports.length, why },
    rounds: reports.length,
    freshShare: share(fresh.length, kills.length),
    resumedShare: share(beginnings[RESUMED] ?? 0, starts - (beginnings[UNDECIDED] ?? 0)),
    starts,
    acts: countOf(reports.map(({ actor }) => actor)),
    beginnings,
  };
}

function countOf(names: readonly (string | undefined)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) if (name !== undefined) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 1000) / 1000;
}
