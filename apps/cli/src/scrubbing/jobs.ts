/** Which destinations are scrubbed, where their rounds stand, and which one is next. Kept in the staging folders. */

import {
  dueAtStart,
  readScrubs,
  recordScrubs,
  systemRandom,
  type Clock,
  type ScrubRecord,
} from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import type { ScrubSettings } from '../config/fields/scrub.ts';
import type { DatabaseConfig, DestinationConfig } from '../config/model.ts';
import { metaPathOf } from '../drilling/drill-one.ts';

export interface ScrubJob {
  readonly database: DatabaseConfig;
  readonly destination: DestinationConfig;
  readonly settings: ScrubSettings;
  /** undefined before the first round. */
  record: ScrubRecord | undefined;
  /** By the monotonic clock. */
  dueMs: number;
  /** Failures since the last slice that succeeded. */
  failures: number;
  /** When a full snapshot was last ordered, by the monotonic clock. */
  orderedMs: number;
}

export class ScrubJobs {
  #all: readonly ScrubJob[] = [];
  #databases: readonly DatabaseConfig[] = [];
  readonly #clock: Clock;
  readonly #logger: Logger;

  static async create(
    databases: readonly DatabaseConfig[],
    clock: Clock,
    logger: Logger,
  ): Promise<ScrubJobs> {
    const jobs = new ScrubJobs(clock, logger);
    await jobs.update(databases);
    return jobs;
  }

  private constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  get all(): readonly ScrubJob[] {
    return this.#all;
  }

  /** Takes other databases. Those that are the same objects as before continue. Returns the new jobs. */
  async update(databases: readonly DatabaseConfig[]): Promise<readonly ScrubJob[]> {
    const before = new Set(this.#databases);
    const added: ScrubJob[] = [];
    for (const database of databases) {
      if (!before.has(database)) added.push(...(await jobsOf(database, this.#clock, this.#logger)));
    }
    this.#databases = [...databases];
    const isKept = new Set(databases);
    this.#all = [...this.#all.filter(({ database }) => isKept.has(database)), ...added];
    return added;
  }

  /** The one that is due first; undefined if there is none. */
  next(): ScrubJob | undefined {
    const [first, ...others] = this.#all;
    return first && others.reduce((a, b) => (b.dueMs < a.dueMs ? b : a), first);
  }

  /** Keeps the records of a database. A failure costs a part of the round after a restart. */
  async save(database: DatabaseConfig): Promise<void> {
    const own = this.#all.filter((job) => job.database === database);
    try {
      await recordScrubs(
        metaPathOf(database),
        own.flatMap(({ record }) => record ?? []),
      );
    } catch (error) {
      this.#logger.warn(
        `the state of the scrub is not kept, so a restart repeats a part of it: ${messageOf(error)}`,
        { db: database.options.path },
      );
    }
  }
}

async function jobsOf(database: DatabaseConfig, clock: Clock, logger: Logger): Promise<ScrubJob[]> {
  const { scrub: settings, destinations, options } = database;
  if (settings === undefined) return [];
  let records: readonly ScrubRecord[] = [];
  try {
    records = await readScrubs(metaPathOf(database));
  } catch (error) {
    logger.warn(`nothing is known of earlier scrubs: ${messageOf(error)}`, { db: options.path });
  }
  return destinations.map((destination) => {
    const record = records.find((each) => isOf(destination, each));
    const inMs = dueInMs(record, settings, clock);
    return {
      database,
      destination,
      settings,
      record,
      dueMs: clock.monotonic() + inMs,
      failures: 0,
      orderedMs: -Infinity,
    };
  });
}

/** A round that was begun, or has damage to look after, continues at once. */
function dueInMs(
  record: ScrubRecord | undefined,
  { everyMs }: ScrubSettings,
  clock: Clock,
): number {
  if (
    record !== undefined &&
    (record.cursor !== undefined || record.damaged.some(({ superseded }) => superseded !== true))
  ) {
    return 0;
  }
  const lastMs = record && Date.parse(record.startedAt);
  const state = { nowMs: clock.now(), everyMs, due: undefined, lastMs };
  return dueAtStart(state, systemRandom) - state.nowMs;
}

function isOf({ name, target }: DestinationConfig, record: ScrubRecord): boolean {
  return record.name === name && record.target === target;
}
