/**
 * The process of one drill of the replicator's schedule: reads the configuration again, drills one
 * destination, writes the certificate, and answers. It ends with the replicator.
 */

import { examinationLimitMs, readDrills, type DrillReport, type DrillTarget } from '@sluice/core';
import { messageOf, ReplicationError } from '@sluice/core/backend';
import { parseTXID } from '@sluice/core/ltx';
import type { DatabaseConfig, DestinationConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { parseTime } from '../restoring/time.ts';
import type { Secrets } from '../secrets.ts';
import { databaseAt } from '../select.ts';
import { changedError, readConfigAgain, serveTask, type Task } from '../tasks/serve-task.ts';
import { readVersion } from '../version.ts';
import { isCertifiable, toCertificate, writeCertificate } from './certificate.ts';
import { drillOne, metaPathOf, type DrillRequest } from './drill-one.ts';
import type { DrillAnswer, DrillOrder, DrillProgress } from './order.ts';

serveTask<DrillAnswer, DrillProgress>(async (order, task) =>
  drillByOrder(order as DrillOrder, task),
);

async function drillByOrder(order: DrillOrder, task: Task<DrillProgress>): Promise<DrillAnswer> {
  const { settings, folder } = order;
  const { logger, secrets } = task;
  const { database, destination } = await findDestination(order, secrets);
  const { signal } = new AbortController(); // the replicator kills this process instead
  await using connections = new Destinations(logger, 'read', settings.bandwidth);
  const result = await drillOne({
    database,
    destination,
    connections,
    logger,
    target: toTarget(order),
    integrityCheck: settings.integrityCheck,
    assertions: settings.assertions,
    examinationMsMax: order.started === 'watched' ? 'none' : examinationLimit(order),
    scratchBytesMax: settings.scratchBytesMax,
    usable: 'above the reserve',
    folder,
    kept:
      settings.keptBytesMax === undefined
        ? undefined
        : { folder: order.keptFolder, bytesMax: settings.keptBytesMax },
    onProgress: ({ doneBytes, totalBytes }) => task.report({ doneBytes, totalBytes }),
    signal,
  });
  const report = JSON.parse(secrets.clean(JSON.stringify(result))) as DrillReport;
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

function examinationLimit({ settings }: DrillOrder): DrillRequest['examinationMsMax'] {
  const { everyMs, assertions } = settings;
  return (databaseBytes) =>
    examinationLimitMs({ everyMs, databaseBytes, assertions: assertions.length });
}

/** CONFIG_INVALID if the file has changed since the replicator read it. */
async function findDestination(
  { config, database: path, name, target }: DrillOrder,
  secrets: Secrets,
): Promise<{ database: DatabaseConfig; destination: DestinationConfig }> {
  const database = databaseAt(await readConfigAgain(config, secrets), path);
  const destination = database?.destinations.find(
    (each) => each.name === name && each.target === target,
  );
  if (database !== undefined && destination !== undefined) return { database, destination };
  throw changedError(config, `drill ${name} of ${path}`, `this destination (${target})`);
}

function toTarget({ settings: { at }, txid }: DrillOrder): DrillTarget {
  if (txid !== undefined) return { kind: 'txid', txid: parseTXID(txid) };
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
