/** The last drills of all databases, read again now and then: they are files in the staging folders. */

import { currentFailure, type DrillRecord } from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import type { DrillSummary } from '@sluice/dashboard';
import type { DatabaseConfig } from '../config/model.ts';
import { readLastDrills } from '../status/drills.ts';
import { cpuMs } from './cpu-time.ts';

/** Shortest time between two readings. */
const INTERVAL_MS_MIN = 10_000;
/** Reading takes at most this share of a core. */
const LOAD_MAX = 0.01;
/** Files read at once. */
const READS_MAX = 16;

export class DrillCache {
  readonly #databases: () => readonly DatabaseConfig[];
  readonly #logger: Logger;
  #summaries = new Map<string, readonly DrillSummary[]>();
  #reading: Promise<void> | undefined;
  #nextMs = -Infinity;

  constructor(databases: () => readonly DatabaseConfig[], logger: Logger) {
    this.#databases = databases;
    this.#logger = logger;
  }

  /** undefined if they could not be read. */
  of(path: string): readonly DrillSummary[] | undefined {
    return this.#summaries.get(path);
  }

  /** Reads them if that was long ago. Waits only for the first reading. */
  async refresh(): Promise<void> {
    const isFirst = this.#nextMs === -Infinity;
    if (performance.now() >= this.#nextMs) this.#reading ??= this.#read();
    if (isFirst) await this.#reading;
  }

  async close(): Promise<void> {
    await this.#reading;
  }

  async #read(): Promise<void> {
    const startedMs = cpuMs();
    const summaries = new Map<string, readonly DrillSummary[]>();
    const rest = [...this.#databases()];
    const work = async (): Promise<void> => {
      for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
        const found = await this.#readOne(next);
        if (found !== undefined) summaries.set(next.options.path, found);
      }
    };
    await Promise.all(Array.from({ length: READS_MAX }, work));
    this.#summaries = summaries;
    const tookMs = cpuMs() - startedMs;
    this.#nextMs = performance.now() + Math.max(INTERVAL_MS_MIN, tookMs / LOAD_MAX);
    this.#reading = undefined;
  }

  async #readOne(database: DatabaseConfig): Promise<DrillSummary[] | undefined> {
    try {
      const records = await readLastDrills(database);
      return database.destinations.map(({ name }) =>
        toSummary(name, records.get(name), database.drills[name]?.everyMs),
      );
    } catch (error) {
      this.#logger.warn(`the page lacks the drills of a database: ${messageOf(error)}`);
      return undefined; // the page then says that they are not known
    }
  }
}

function toSummary(
  destination: string,
  record: DrillRecord | undefined,
  everyMs: number | undefined,
): DrillSummary {
  const everySeconds = everyMs === undefined ? undefined : everyMs / 1_000;
  if (record === undefined) return { destination, everySeconds };
  const { result, kind = 'full', at, txid, restoreMs, lossWindowMs, problems } = record;
  const failure = currentFailure(record);
  return {
    destination,
    everySeconds,
    last: {
      result,
      kind,
      at,
      txid,
      restoreMs,
      lossWindowMs,
      problems,
      lastSuccessAt: record.lastSuccessAt,
    },
    earlier: record.earlier?.map((each) => ({ result: each.result, at: each.at })),
    failure: failure && {
      at: failure.at,
      problem: failure.problems[0] ?? 'no reason was recorded',
    },
  };
}
