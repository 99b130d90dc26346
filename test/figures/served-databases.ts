/**
 * The HTTP server of a replicator of many databases. Their status is computed by real replications of fewer databases,
 * each under many paths, and computed anew each time.
 */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { defaultMetaPath, replicate, type DatabaseStatus } from '@sluice/core';
import { startHTTP } from '../../apps/cli/src/http/start.ts';
import type { Config } from '../../apps/cli/src/config/model.ts';
import { readConfig } from '../../apps/cli/src/config/read.ts';
import { Destinations } from '../../apps/cli/src/destinations.ts';
import { LastResultsReader } from '../../apps/cli/src/status/last-results.ts';
import { Secrets } from '../../apps/cli/src/secrets.ts';
import { until } from '../support/wait.ts';

const REAL = 50;
const ADDR = '127.0.0.1:0';
const nothing = (): void => undefined;
const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

export interface ServedDatabases extends AsyncDisposable {
  readonly url: string;
}

/** `count` databases with one destination each; a multiple of 50. */
export async function serveDatabases(folder: string, count: number): Promise<ServedDatabases> {
  const paths = Array.from({ length: count }, (_, index) => path.join(folder, `${index}.db`));
  const read = await Promise.all(paths.slice(0, REAL).map((file) => readOne(file, folder)));
  const [config = fail()] = read;
  const [first = fail()] = config.databases;
  const databases = [
    ...read.flatMap((each) => each.databases),
    ...paths.slice(REAL).map((file) => ({ ...first, options: { ...first.options, path: file } })),
  ];
  for (const { options, destinations } of databases) {
    writeDrill(defaultMetaPath(options.path), destinations[0]?.target ?? '');
  }
  for (const file of paths.slice(0, REAL)) {
    const db = new Database(file);
    db.pragma('journal_mode = wal');
    db.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)');
    db.close();
  }
  const connections = new Destinations(logger, 'write');
  const replicator = await replicate({
    databases: databases.slice(0, REAL).map(({ options, destinations }) => ({
      options,
      targets: destinations.map(({ name, type, target }, index) => ({
        ...{ name, type, target },
        open: (signal: AbortSignal) => connections.open(destinations[index] ?? fail(), signal),
      })),
    })),
    logger,
    onCrash: fail,
  });
  await until('all are replicated', () =>
    replicator.status().every(({ destinations: [at] }) => at?.txid !== undefined),
  );
  /** Each real one under a hundred paths, computed anew each time. */
  const status = (): DatabaseStatus[] =>
    Array.from({ length: count / REAL }, (_, round) =>
      replicator.status().map((real, index) => {
        return { ...real, path: paths[round * REAL + index] ?? '' };
      }),
    ).flat();
  for (const { destinations } of databases) {
    for (const at of destinations) connections.callsOf(at).add('put', 'ok');
  }
  const results = new LastResultsReader(() => databases, logger);
  const info = { version: '0.0.0', startedAt: new Date() };
  const server = await startHTTP({
    ...{
      addr: ADDR,
      databases: () => databases,
      configFile: undefined,
      secrets: new Secrets(),
      config: { ...config, databases, addr: ADDR },
      status,
      results,
      restores: new Map(),
      connections,
      info,
      logger,
    },
  });
  return {
    url: `http://${server.address}`,
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await replicator.close();
      await connections[Symbol.asyncDispose]();
    },
  };
}

function fail(): never {
  throw new Error('replication failed');
}

async function readOne(file: string, folder: string): Promise<Config> {
  const dbs = [{ path: file, replicas: [{ path: `${file}-backup` }] }];
  return await readConfig(JSON.stringify({ dbs }), {
    ...{ source: 'bench', folder, environment: {}, variables: 'leave', secrets: new Secrets() },
  });
}

/** Of a database that exists only as a path: with a drill, as if it had been replicated. */
function writeDrill(metaPath: string, target: string): void {
  fs.mkdirSync(metaPath, { recursive: true });
  const at = new Date().toISOString();
  const drill = {
    name: 'file',
    target,
    at,
    result: 'ok',
    problems: [],
    restoreMs: 1,
    lastSuccessAt: at,
  };
  fs.writeFileSync(path.join(metaPath, 'drill.json'), JSON.stringify([drill]));
}
