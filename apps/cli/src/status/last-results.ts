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
  readonly stamp: string;
  readonly results: LastResults;
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
      const stamp = stampOf(database);
      const known = this.#cache.get(database);
      const results = known?.stamp === stamp ? known.results : await this.#readOne(database, stamp);
      all.set(database.options.path, results);
    }
    return all;
  }

  /** The other metrics must not be lost with these. */
  async #readOne(database: ResultsOf, stamp: string): Promise<LastResults> {
    try {
      const [drills, scrubs] = [await readLastDrills(database), await readLastScrubs(database)];
      const results = { drills, scrubs };
      this.#cache.set(database, { stamp, results });
      return results;
    } catch (error) {
      const message = `/metrics and /status lack the last drills and scrubs: ${messageOf(error)}`;
      this.#logger.warn(message, { db: database.options.path });
      return { drills: new Map(), scrubs: new Map() };
    }
  }
}

/** Changes when one of the files is replaced. */
function stampOf({ options }: ResultsOf): string {
  const folder = options.metaPath ?? defaultMetaPath(options.path);
  return `${stampOfFile(path.join(folder, 'drill.json'))} ${stampOfFile(path.join(folder, 'scrub.json'))}`;
}

function stampOfFile(file: string): string {
  try {
    const found = fs.statSync(file, { throwIfNoEntry: false });
    return found === undefined ? '' : `${found.ino}-${found.mtimeMs}-${found.size}`;
  } catch (error) {
    return messageOf(error);
  }
}
