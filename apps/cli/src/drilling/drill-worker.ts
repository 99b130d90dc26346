/**
 * The process of one drill of the replicator's schedule: reads the configuration again, drills one
 * destination, writes the certificate, and answers. It ends with the replicator.
 */

import { examinationLimitMs, readDrills, type DrillTarget } from '@sluice/core';
import { isError, messageOf, ReplicationError, type Logger } from '@sluice/core/backend';
import type { DrillSettings } from '../config/fields/drill.ts';
import { readConfigFile } from '../config/load.ts';
import type { DatabaseConfig, DestinationConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { END_SIGNALS } from '../interrupt.ts';
import { parseTime } from '../restoring/time.ts';
import { Secrets } from '../secrets.ts';
import { databaseAt } from '../select.ts';
import type { Shell } from '../shell.ts';
import { readVersion } from '../version.ts';
import { limitYoungGeneration } from '../young-generation.ts';
import { isCertifiable, toCertificate, writeCertificate } from './certificate.ts';
import { drillOne, metaPathOf } from './drill-one.ts';
import type { DrillAnswer, DrillOrder, DrillReply } from './order.ts';

limitYoungGeneration();
const secrets = new Secrets();
// A terminal signals the whole process group. The replicator itself ends this process.
for (const signal of [...END_SIGNALS, 'SIGUSR1'] as const) process.on(signal, () => undefined);
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.once('message', (order: DrillOrder) => void answer(order));

async function answer(order: DrillOrder): Promise<void> {
  try {
    reply({ kind: 'done', ...(await carryOutDrill(order)) });
  } catch (error) {
    const code = isError(error) ? error.code : undefined;
    reply({ kind: 'failure', message: secrets.clean(messageOf(error)), code });
  }
}

function reply(message: DrillReply): void {
  process.send?.(message);
}

async function carryOutDrill(order: DrillOrder): Promise<DrillAnswer> {
  const { settings, folder } = order;
  const { database, destination } = await findDestination(order);
  const logger = toLogger();
  const { signal } = new AbortController(); // the replicator kills this process instead
  await using connections = new Destinations(logger, 'read', settings.bandwidth);
  const report = await drillOne({
    database,
    destination,
    connections,
    logger,
    target: toTarget(settings),
    integrityCheck: settings.integrityCheck,
    assertions: settings.assertions,
    examinationMsMax: (databaseBytes) =>
      examinationLimitMs({
        everyMs: settings.everyMs,
        databaseBytes,
        assertions: settings.assertions.length,
      }),
    scratchBytesMax: settings.scratchBytesMax,
    usable: 'above the reserve',
    folder,
    kept:
      settings.keptBytesMax === undefined
        ? undefined
        : { folder: order.keptFolder, bytesMax: settings.keptBytesMax },
    signal,
  });
  if (!isCertifiable(report)) return { report };
  try {
    const text = toCertificate(report, {
      version: await readVersion(),
      integrityCheck: settings.integrityCheck,
      lastSuccessAt: await lastSuccessOf(database, destination),
    });
    await using writing = new Destinations(logger, 'write');
    await writeCertificate(destination, writing, secrets.clean(text), signal);
    return { report };
  } catch (error) {
    return { report, certificateError: secrets.clean(messageOf(error)) };
  }
}

/** CONFIG_INVALID if the file has changed since the replicator read it. */
async function findDestination({
  config,
  database: path,
  name,
  target,
}: DrillOrder): Promise<{ database: DatabaseConfig; destination: DestinationConfig }> {
  const { env: environment, stdout, stderr } = process;
  const shell: Shell = { environment, stdout, stderr, secrets, configPaths: [] };
  const database = databaseAt(await readConfigFile(config, shell), path);
  const destination = database?.destinations.find(
    (each) => each.name === name && each.target === target,
  );
  if (database !== undefined && destination !== undefined) return { database, destination };
  throw new ReplicationError(
    'CONFIG_INVALID',
    `drill ${name} of ${path}: ${config.file} has changed and no longer has this destination (${target}): ` +
      'run "sluice reload"',
  );
}

function toTarget({ at }: DrillSettings): DrillTarget {
  if (at === 'latest' || at === 'random') return { kind: at };
  const parsed = parseTime(at, new Date());
  if (parsed.kind === 'time') return { kind: 'timestamp', at: parsed.at };
  throw new ReplicationError('CONFIG_INVALID', `drill.at "${at}" is not a time`);
}

async function lastSuccessOf(
  database: DatabaseConfig,
  { name, target }: DestinationConfig,
): Promise<string | undefined> {
  const records = await readDrills(metaPathOf(database));
  return records.find((each) => each.name === name && each.target === target)?.lastSuccessAt;
}

/** The replicator has the log. */
function toLogger(): Logger {
  const warn = (message: string): void => {
    reply({ kind: 'warning', message: secrets.clean(message) });
  };
  return { debug: () => undefined, info: () => undefined, warn, error: warn };
}
