/**
 * Time of a scrape with 5,000 databases over HTTP: their status, the results of their drills, and the text. The status is
 * computed by real replications of fewer databases, each of which is asked a hundred times.
 */

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { defaultMetaPath, replicate, type DatabaseStatus } from '@sluice/core';
import { startHTTP } from '../../apps/cli/src/http/start.ts';
import type { Config } from '../../apps/cli/src/config/model.ts';
import { readConfig } from '../../apps/cli/src/config/read.ts';
import { Destinations } from '../../apps/cli/src/destinations.ts';
import { LastResultsReader } from '../../apps/cli/src/status/last-results.ts';
import { Secrets } from '../../apps/cli/src/secrets.ts';
import { until } from '../support/wait.ts';
import { inFolder, print, round } from './bench.ts';

const DATABASES = 5_000;
const REAL = 50;
const SCRAPES = 11;
const MS_MAX = 200;
const nothing = (): void => undefined;
const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
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

/** By another process, as Prometheus is one. Until the last byte. */
async function timeOfScrape(url: string): Promise<number> {
  const script = `
    const started = performance.now();
    require('node:http').get(${JSON.stringify(url)}, (response) => {
      response.resume().on('end', () => console.log(performance.now() - started));
    });`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script]);
  return Number(stdout);
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

const { ms, cpuMs, bytes, series } = await inFolder(async (folder) => {
  const paths = Array.from({ length: DATABASES }, (_, index) => path.join(folder, `${index}.db`));
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
  await using connections = new Destinations(logger, 'write');
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
    Array.from({ length: DATABASES / REAL }, (_, round) =>
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
      addr: ':0',
      databases: () => databases,
      configFile: undefined,
      secrets: new Secrets(),
      config: { ...config, databases },
      status,
      results,
      restores: new Map(),
      connections,
      info,
      logger,
    },
  });
  const url = `http://${server.address}/metrics`;
  const text = await (await fetch(url)).text(); // also reads the results of all drills
  const times: number[] = [];
  const used: number[] = [];
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    const before = process.cpuUsage();
    times.push(await timeOfScrape(url));
    const { user, system } = process.cpuUsage(before);
    used.push((user + system) / 1_000);
  }
  await server.close();
  await replicator.close();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return { ms: median(times), cpuMs: median(used), bytes: text.length, series: lines.length };
});

print(
  'metrics',
  [
    {
      what: `scrape of ${DATABASES} databases with one destination each`,
      ...{ unit: 'ms', ours: round(ms), bar: MS_MAX, lowerIsBetter: true },
    },
    {
      what: 'the same, processor time of the replicator',
      ...{ unit: 'ms', ours: round(cpuMs), lowerIsBetter: true },
    },
  ],
  `The median of ${SCRAPES}: ${series} values, ${round(bytes / 1e6)} MB.`,
);
