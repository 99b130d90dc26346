/**
 *  path      answers                                        200            503
 *  /healthz  does the process run? Restart it if not.       always         never: it does not answer at all
 *  /readyz   may the application start?                     all opened     a database was not opened yet
 *  /status   would data be lost now? Alert on it.           all healthy    one is unhealthy, or later than max-lag
 *  /metrics  metrics for Prometheus                         always         never
 */

import type { DatabaseStatus } from '@sluice/core';
import { parseDuration } from '@sluice/core/config';
import { withDrills } from '../status/drill-health.ts';
import type { LastResults } from '../status/last-results.ts';
import { findLate, findUnready } from './health.ts';

export interface Reply {
  readonly code: number;
  readonly type: string;
  /** The parts of a long body are made one after another, while those before are sent. */
  readonly body: string | Iterable<Buffer>;
}

/** By path. */
export type Routes = Readonly<Record<string, (query: URLSearchParams) => Promise<Reply>>>;

export interface RouteSources {
  readonly status: () => readonly DatabaseStatus[];
  /** The last drills and scrubs, by the path of the database. */
  readonly readResults: () => Promise<ReadonlyMap<string, LastResults>>;
  readonly metrics: (
    databases: readonly DatabaseStatus[],
    results: ReadonlyMap<string, LastResults>,
  ) => Reply;
}

const TEXT = 'text/plain; charset=utf-8';

export const NOT_FOUND: Reply = {
  code: 404,
  type: TEXT,
  body: 'try / (the page, if it is on), /metrics, /status, /readyz or /healthz\n',
};

export function createRoutes({ status, readResults, metrics }: RouteSources): Routes {
  return {
    '/healthz': () => Promise.resolve({ code: 200, type: TEXT, body: 'ok\n' }),
    '/readyz': () => {
      const unready = findUnready(status());
      const ready = unready.length === 0;
      return Promise.resolve(toJSON(ready ? 200 : 503, { ready, databases: unready }));
    },
    '/status': async (query) => {
      const written = query.get('max-lag') ?? undefined;
      const maxLagMs = written === undefined ? Infinity : parseDuration(written);
      if (maxLagMs === undefined) {
        const body = `max-lag must be a duration such as 60s, not ${JSON.stringify(written)}\n`;
        return { code: 400, type: TEXT, body };
      }
      const databases = withDrills(status(), await readResults());
      const late = findLate(databases, maxLagMs);
      const healthy = late.length === 0 && databases.every((database) => database.healthy);
      return toJSON(healthy ? 200 : 503, { healthy, late, databases });
    },
    '/metrics': async () => {
      const results = await readResults();
      return metrics(withDrills(status(), results), results);
    },
  };
}

function toJSON(code: number, value: unknown): Reply {
  return { code, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}
