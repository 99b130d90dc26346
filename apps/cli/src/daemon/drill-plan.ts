/**
 * Which destinations are drilled in the background, and when. The times are decided in core (drill/schedule.ts)
 * and kept in the staging folders, which the replicator creates later than this starts.
 */

import {
  dueAtStart,
  readDrills,
  readDueDrills,
  recordDueDrills,
  systemRandom,
  type Clock,
  type DrillRecord,
} from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import type { DrillSettings } from '../config/fields/drill.ts';
import type { DatabaseConfig, DestinationConfig } from '../config/model.ts';
import { metaPathOf } from '../drilling/drill-one.ts';

export interface DrillJob {
  readonly database: DatabaseConfig;
  readonly destination: DestinationConfig;
  readonly settings: DrillSettings;
  /** By the monotonic clock: setting the wall clock changes nothing. */
  readonly dueMs: number;
}

export class DrillPlan {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #jobs: readonly (DrillJob & { dueMs: number })[] = [];
  /** Databases whose times are not in their staging folders yet. */
  readonly #unrecorded = new Set<DatabaseConfig>();
  #databases: readonly DatabaseConfig[] = [];

  static async create(
    databases: readonly DatabaseConfig[],
    clock: Clock,
    logger: Logger,
  ): Promise<DrillPlan> {
    const plan = new DrillPlan(clock, logger);
    await plan.update(databases);
    return plan;
  }

  private constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Plans for other databases. Those that are the same objects as before keep their times. Returns the new drills. */
  async update(databases: readonly DatabaseConfig[]): Promise<readonly DrillJob[]> {
    const before = new Set(this.#databases);
    const added: DrillJob[] = [];
    for (const database of databases) {
      if (!before.has(database)) {
        added.push(...(await planDatabase(database, this.#clock, this.#logger)));
      }
    }
    this.#databases = [...databases];
    const isKept = new Set(databases);
    this.#jobs = [
      ...this.#jobs.filter(({ database }) => isKept.has(database)),
      ...added.map((job) => ({ ...job })),
    ];
    for (const database of before) if (!isKept.has(database)) this.#unrecorded.delete(database);
    for (const { database } of added) this.#unrecorded.add(database);
    return added;
  }

  get jobs(): readonly DrillJob[] {
    return this.#jobs;
  }

  /** The next drill; undefined if there is none. */
  next(): DrillJob | undefined {
    const [first, ...others] = this.#jobs;
    return first && others.reduce((a, b) => (b.dueMs < a.dueMs ? b : a), first);
  }

  /** Plans the next drill of a destination `ms` from now. `recorded`: it survives a restart. */
  async postpone(job: DrillJob, ms: number, record: 'recorded' | 'not recorded'): Promise<void> {
    const own = this.#jobs.find((each) => each.destination === job.destination);
    if (own !== undefined) own.dueMs = this.#clock.monotonic() + ms;
    if (record === 'not recorded') return;
    this.#unrecorded.add(job.database);
    await this.record();
  }

  /** Records what is not recorded yet. A folder that does not exist yet is tried again. */
  async record(): Promise<void> {
    for (const database of this.#unrecorded) {
      try {
        const outcome = await recordDueDrills(metaPathOf(database), this.#recordsOf(database));
        if (outcome === 'no folder') continue;
      } catch (error) {
        this.#logger.warn(
          `the time of the next drill is not kept, so a restart chooses another: ${messageOf(error)}`,
          { db: database.options.path },
        );
      }
      this.#unrecorded.delete(database);
    }
  }

  #recordsOf(database: DatabaseConfig): Parameters<typeof recordDueDrills>[1] {
    const offsetMs = this.#clock.now() - this.#clock.monotonic();
    return this.#jobs
      .filter((job) => job.database === database)
      .map(({ destination: { name, target }, settings: { everyMs }, dueMs }) => {
        return { name, target, at: new Date(dueMs + offsetMs).toISOString(), everyMs };
      });
  }
}

async function planDatabase(
  database: DatabaseConfig,
  clock: Clock,
  logger: Logger,
): Promise<DrillJob[]> {
  const [due, drilled] = [
    await readOrNone(database, readDueDrills, logger),
    await readOrNone(database, readDrills, logger),
  ];
  return database.destinations.flatMap((destination) => {
    const settings = database.drills[destination.name];
    if (settings === undefined) return [];
    const { everyMs } = settings;
    const record = due.find((each) => isOf(destination, each));
    const last = drilled.find((each) => isOf(destination, each));
    const state = {
      nowMs: clock.now(),
      everyMs,
      due: record && { atMs: Date.parse(record.at), everyMs: record.everyMs },
      lastMs: last && Date.parse(last.at),
    };
    const inMs = dueAtStart(state, systemRandom) - state.nowMs;
    return [{ database, destination, settings, dueMs: clock.monotonic() + inMs }];
  });
}

/** The last drill of a destination. */
export async function lastDrillOf(
  { database, destination }: DrillJob,
  logger: Logger,
): Promise<DrillRecord | undefined> {
  const records = await readOrNone(database, readDrills, logger);
  return records.find((each) => isOf(destination, each));
}

/** A staging folder that cannot be read must not end all drills. */
async function readOrNone<Item>(
  database: DatabaseConfig,
  read: (folder: string) => Promise<readonly Item[]>,
  logger: Logger,
): Promise<readonly Item[]> {
  try {
    return await read(metaPathOf(database));
  } catch (error) {
    logger.warn(`nothing is known of earlier drills: ${messageOf(error)}`, {
      db: database.options.path,
    });
    return [];
  }
}

function isOf(
  { name, target }: DestinationConfig,
  record: { readonly name: string; readonly target: string },
): boolean {
  return record.name === name && record.target === target;
}
