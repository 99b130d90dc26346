/**
 * Rounds of SIGKILL: a writer with a ledger, checkpoints of every mode, a replicator (sometimes the
 * writer too) killed at random moments. After each kill every destination is restored alone, before
 * the next start: what was reported is there, nothing is that never was. Every EPOCH_ROUNDS rounds a
 * new database with another page size and other destinations begins.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { randomFrom } from '../../packages/core/test/support/random.ts';
import { RESUMED, UNDECIDED } from './events.ts';
import { Epoch, type EpochOptions, type RoundReport } from './epoch.ts';

const EPOCH_ROUNDS = 25;
/** A report that is younger than this at the kill says that replication was going on. */
const FRESH_MS = 2_000;

export interface KillLoopOptions extends EpochOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly onRound?: ((round: number, report: RoundReport) => void) | undefined;
}

export interface KillLoopReport {
  readonly broken: { readonly round: number; readonly why: string } | undefined;
  readonly rounds: number;
  /** Of the rounds: those with a report younger than FRESH_MS for every sound destination. */
  readonly freshShare: number;
  /** Of the starts that found a log and came so far as to go on: those that took no image for it. */
  readonly resumedShare: number;
  readonly starts: number;
  /** How often they began how, and why. */
  readonly beginnings: Readonly<Record<string, number>>;
}

export async function killLoop(options: KillLoopOptions): Promise<KillLoopReport> {
  const random = randomFrom(options.seed);
  const reports: RoundReport[] = [];
  while (reports.length < options.rounds) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-kill-'));
    const epoch = new Epoch(folder, options, random);
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
  const starts = reports.flatMap(({ beginning }) => (beginning === undefined ? [] : [beginning]));
  const beginnings: Record<string, number> = {};
  for (const beginning of starts) beginnings[beginning] = (beginnings[beginning] ?? 0) + 1;
  const fresh = reports.filter(({ reportAgeMs }) => reportAgeMs <= FRESH_MS);
  return {
    broken: why === undefined ? undefined : { round: reports.length, why },
    rounds: reports.length,
    freshShare: share(fresh.length, reports.length),
    resumedShare: share(beginnings[RESUMED] ?? 0, starts.length - (beginnings[UNDECIDED] ?? 0)),
    starts: starts.length,
    beginnings,
  };
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 1000) / 1000;
}
