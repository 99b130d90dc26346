/**
 * Rounds of SIGKILL: a writer with a ledger, checkpoints of every mode, a replicator (sometimes the
 * writer too) killed at random moments. After each kill every destination is restored alone, before
 * the next start: what was reported is there, nothing is that never was. In a fifth of the rounds an
 * actor does what machines and people do besides (kill-loop/actors). Every EPOCH_ROUNDS rounds a new
 * database with another page size and other destinations begins.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { randomFrom } from '../../packages/core/test/support/random.ts';
import { RESUMED, UNDECIDED } from './kill-loop/events.ts';
import { Epoch, type EpochOptions, type RoundReport } from './kill-loop/epoch.ts';
import { RivalEpoch } from './kill-loop/rival-epoch.ts';

const EPOCH_ROUNDS = 25;
/** A report that is younger than this at the kill says that replication was going on. */
const FRESH_MS = 2_000;

export interface KillLoopOptions extends EpochOptions {
  readonly seed: number;
  readonly rounds: number;
  /** Litestream's binary in our place. */
  readonly rival?: string | undefined;
  readonly onRound?: ((round: number, report: RoundReport) => void) | undefined;
}

export interface KillLoopReport {
  readonly broken: { readonly round: number; readonly why: string } | undefined;
  readonly rounds: number;
  /** Of the rounds with kills alone: those with a report younger than FRESH_MS for every sound destination. */
  readonly freshShare: number;
  /** Of the starts that found a log and came so far as to go on: those that took no image for it. */
  readonly resumedShare: number;
  readonly starts: number;
  /** How often somebody acted (actors/). */
  readonly acts: Readonly<Record<string, number>>;
  /** How often starts after a kill alone began how, and why. */
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
