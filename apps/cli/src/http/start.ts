/** Starts the HTTP server of a replicator. Loaded only if `addr` is configured. */

import type { Replicator } from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import type { Config } from '../config/model.ts';
import { pricesOf } from '../costing/prices.ts';
import type { Destinations } from '../destinations.ts';
import type { LastResultsReader } from '../status/last-results.ts';
import { CONTENT_TYPE, writeMetrics, type MetricsInput } from './metrics/metrics.ts';
import type { Mount } from './mounts.ts';
import { createRoutes } from './routes.ts';
import { serveHTTP, type HTTPServer } from './server.ts';

export interface HTTPInput {
  readonly addr: string;
  readonly config: Config;
  readonly replicator: Pick<Replicator, 'status'>;
  readonly results: Pick<LastResultsReader, 'read'>;
  readonly restores: MetricsInput['restores'];
  readonly connections: Pick<Destinations, 'callsOf'>;
  readonly info: { readonly version: string; readonly startedAt: Date };
  readonly logger: Logger;
  readonly mounts?: readonly Mount[] | undefined;
}

export async function startHTTP(input: HTTPInput): Promise<HTTPServer> {
  const { addr, config, replicator, results, restores, connections, info, logger, mounts } = input;
  const places = new Map(
    config.databases.map(({ options, destinations }) => [
      options.path,
      new Map(
        destinations.map((destination) => [
          destination.name,
          { calls: connections.callsOf(destination), prices: pricesOf(destination) },
        ]),
      ),
    ]),
  );
  const routes = createRoutes({
    status: () => replicator.status(),
    readResults: () => results.read(),
    metrics: (databases, last) => {
      const body = writeMetrics({
        databases,
        results: last,
        restores,
        placeOf: (database, destination) => places.get(database)?.get(destination),
        process: { version: info.version, startedAt: info.startedAt.getTime() / 1_000 },
        now: Date.now(),
        names: config.litestreamNames === true ? 'also those of Litestream' : 'ours',
      });
      return { code: 200, type: CONTENT_TYPE, body };
    },
  });
  return await serveHTTP({ addr, routes, mounts, logger });
}
