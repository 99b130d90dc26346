/**
 * The last drills and scrubs of all databases, for each request to /status and /metrics. A file is read again only if
 * it was replaced since, because there may be thousands.
 */

import fs from 'node:fs';
import path from 'node:path';
import { defaultMetaPath, type DrillRecord, type ScrubRecord } from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import type { DatabaseConfig } from '../config/model.ts';
import { readLastDrills } from './drills.ts';
import { readLastScrubs } from './scrubs.ts';

/** Of the destinations of one database, by name. */
export interface LastResults {
  readonly drills: ReadonlyMap<string, DrillRecord>;
  readonly scrubs: ReadonlyMap<string, ScrubRecord>;
}

export type ResultsOf = Pick<DatabaseConfig, 'options' | 'destinations'>;

interface Cached {
  readonly files: readonly string[];
  stamp: string | undefined;
  results: LastResults;
}

export class LastResultsReader {
  readonly #databases: () => readonly ResultsOf[];
  readonly #logger: Logger;
  readonly #cache = new WeakMap<ResultsOf, Cached>();

  constructor(databases: () => readonly ResultsOf[], logger: Logger) {
    this.#databases = databases;
    this.#logger = logger;
  }

  /** By the path of the database. A file that cannot be read is logged, and counts as empty. */
  async read(): Promise<ReadonlyMap<string, LastResults>> {
    const all = new Map<string, LastResults>();
    for (const database of this.#databases()) {
      const known = this.#cache.get(database) ?? this.#add(database);
      const stamp = known.files.map(stampOf).join(' ');
      if (known.stamp !== stamp) await this.#readOne(database, known, stamp);
      all.set(database.options.path, known.results);
    }
    return all;
  }

  #add(database: ResultsOf): Cached {
    const { metaPath, path: file } = database.options;
    const folder = metaPath ?? defaultMetaPath(file);
    const files = ['drill.json', 'scrub.json'].map((name) => path.join(folder, name));
    const added = { files, stamp: undefined, results: NO_RESULTS };
    this.#cache.set(database, added);
    return added;
  }

  /** The other metrics must not be lost with these. */
  async #readOne(database: ResultsOf, known: Cached, stamp: string): Promise<void> {
    try {
      const [drills, scrubs] = [await readLastDrills(database), await readLastScrubs(database)];
      known.results = { drills, scrubs };
      known.stamp = stamp;
    } catch (error) {
      const message = `/metrics and /status lack the last drills and scrubs: ${messageOf(error)}`;
      this.#logger.warn(message, { db: database.options.path });
      known.results = NO_RESULTS;
      known.stamp = undefined; // tried again at the next request
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
