/**
 * The last drills, scrubs and repairs of all databases, for each request to /status and /metrics. A file is read again only if
 * it was replaced since, because there may be thousands. Of more than LOOKS_MAX databases, some results are a few reads old.
 */

import fs from 'node:fs';
import path from 'node:path';
import {
  defaultMetaPath,
  type DrillRecord,
  type RepairRecord,
  type ScrubRecord,
} from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import type { DatabaseConfig } from '../config/model.ts';
import { readLastDrills } from './drills.ts';
import { readLastRepair } from './repairs.ts';
import { readLastScrubs } from './scrubs.ts';

/** Of the destinations of one database, by name. */
export interface LastResults {
  readonly drills: ReadonlyMap<string, DrillRecord>;
  readonly scrubs: ReadonlyMap<string, ScrubRecord>;
  /** Of the database. */
  readonly repair?: RepairRecord | undefined;
}

export type ResultsOf = Pick<DatabaseConfig, 'options' | 'destinations'>;

interface Cached {
  readonly files: readonly string[];
  stamp: string | undefined;
  results: LastResults;
}

/** So many databases are looked at in each read; the others are the next time. Thousands would take 100 ms. */
const LOOKS_MAX = 500;

export class LastResultsReader {
  readonly #databases: () => readonly ResultsOf[];
  readonly #logger: Logger;
  readonly #looksMax: number;
  readonly #cache = new WeakMap<ResultsOf, Cached>();
  /** The first database to look at in the next read. */
  #next = 0;

  constructor(databases: () => readonly ResultsOf[], logger: Logger, looksMax = LOOKS_MAX) {
    this.#databases = databases;
    this.#logger = logger;
    this.#looksMax = looksMax;
  }

  /** By the path of the database. A file that cannot be read is logged, and changes nothing. */
  async read(): Promise<ReadonlyMap<string, LastResults>> {
    const databases = this.#databases();
    const count = Math.min(this.#looksMax, databases.length);
    const due = Array.from({ length: count }, (_, index) => {
      return databases[(this.#next + index) % databases.length];
    });
    this.#next = databases.length === 0 ? 0 : (this.#next + count) % databases.length;
    const unknown = databases.filter((database) => !this.#cache.has(database));
    for (const database of new Set([...due, ...unknown])) {
      if (database !== undefined) await this.#look(database);
    }
    return new Map(
      databases.map((database) => {
        return [database.options.path, this.#cache.get(database)?.results ?? NO_RESULTS];
      }),
    );
  }

  async #look(database: ResultsOf): Promise<void> {
    const known = this.#cache.get(database) ?? this.#add(database);
    const stamp = known.files.map(stampOf).join(' ');
    if (known.stamp !== stamp) await this.#readOne(database, known, stamp);
  }

  #add(database: ResultsOf): Cached {
    const { metaPath, path: file } = database.options;
    const folder = metaPath ?? defaultMetaPath(file);
    const files = ['drill.json', 'scrub.json', 'repair.json'].map((name) =>
      path.join(folder, name),
    );
    const added = { files, stamp: undefined, results: NO_RESULTS };
    this.#cache.set(database, added);
    return added;
  }

  /** The other metrics must not be lost with these. */
  async #readOne(database: ResultsOf, known: Cached, stamp: string): Promise<void> {
    try {
      const [drills, scrubs] = [await readLastDrills(database), await readLastScrubs(database)];
      known.results = { drills, scrubs, repair: await readLastRepair(database) };
      known.stamp = stamp;
    } catch (error) {
      const message = `/metrics and /status lack the last drills and scrubs: ${messageOf(error)}`;
      this.#logger.warn(message, { db: database.options.path });
      known.stamp = undefined; // tried again at the next request; until then the last results count
    }
  }
}

const NO_RESULTS: LastResults = { drills: new Map(), scrubs: new Map() };

/** Changes when the file is replaced. */
function stampOf(file: string): string {
  try {
    const found = fs.statSync(file, { throwIfNoEntry: false });
    return found === undefined ? '' : `${found.ino}-${found.mtimeMs}-${found.size}`;
  } catch (error) {
    return messageOf(error);
  }
}
