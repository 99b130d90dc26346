/** Starts the HTTP server of a replicator. Loaded only if `addr` is configured. */

import type { DatabaseStatus } from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import type { DashboardSource } from '@sluice/dashboard';
import type { Config, DatabaseConfig } from '../config/model.ts';
import { pricesOf } from '../costing/prices.ts';
import type { Destinations } from '../destinations.ts';
import type { ConfigFile } from '../drilling/order.ts';
import { createPage } from '../page/create-page.ts';
import type { Secrets } from '../secrets.ts';
import type { LastResultsReader } from '../status/last-results.ts';
import type { Place } from './metrics/destinations.ts';
import { CONTENT_TYPE, writeMetrics, type MetricsInput } from './metrics/metrics.ts';
import { createRoutes } from './routes.ts';
import { serveHTTP, type HTTPServer } from './server.ts';

export interface HTTPInput {
  readonly addr: string;
  readonly config: Config;
  /** Those that are replicated now. */
  readonly databases: () => readonly DatabaseConfig[];
  /** Of all databases that should be replicated. */
  readonly status: () => readonly DatabaseStatus[];
  readonly results: Pick<LastResultsReader, 'read'>;
  readonly restores: MetricsInput['restores'];
  readonly connections: Pick<Destinations, 'callsOf'>;
  readonly info: { readonly version: string; readonly startedAt: Date };
  readonly logger: Logger;
  /** undefined if the configuration is a command line. */
  readonly configFile: ConfigFile | undefined;
  /** Nothing that is served contains them. */
  readonly secrets: Secrets;
  /** undefined: commands are not accepted. */
  readonly command?: DashboardSource['command'] | undefined;
}

export async function startHTTP(input: HTTPInput): Promise<HTTPServer> {
  const { addr, config, status, results, restores, connections, info, logger } = input;
  const places = new WeakMap<DatabaseConfig, Places>();
  const placesOf = (database: DatabaseConfig): Places => {
    const known = places.get(database) ?? toPlaces(database, connections);
    places.set(database, known);
    return known;
  };
  const routes = createRoutes({
    status,
    readResults: () => results.read(),
    metrics: (databases, last) => {
      const configured = new Map(input.databases().map((each) => [each.options.path, each]));
      const body = writeMetrics({
        databases,
        results: last,
        restores,
        placeOf: (path, destination) => {
          const database = configured.get(path);
          return database === undefined ? undefined : placesOf(database).get(destination);
        },
        process: { version: info.version, startedAt: info.startedAt.getTime() / 1_000 },
        now: Date.now(),
        names: config.litestreamNames === true ? 'also those of Litestream' : 'ours',
      });
      return { code: 200, type: CONTENT_TYPE, body };
    },
  });
  const page = createPage(input);
  const mounts = page === undefined ? [] : [page.handle];
  try {
    const server = await serveHTTP({ addr, routes, mounts, hosts: config.page.hosts, logger });
    if (page !== undefined) logger.info(`page at http://${server.address}/`);
    return {
      ...server,
      close: async () => {
        await page?.close();
        await server.close();
      },
    };
  } catch (error) {
    await page?.close();
    throw error;
  }
}

/** The destinations of a database, by name. */
type Places = ReadonlyMap<string, Place>;

function toPlaces({ destinations }: DatabaseConfig, connections: HTTPInput['connections']): Places {
  return new Map(
    destinations.map((destination) => [
      destination.name,
      { calls: connections.callsOf(destination), prices: pricesOf(destination) },
    ]),
  );
}
