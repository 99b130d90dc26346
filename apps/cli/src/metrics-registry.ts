/** The metrics of /metrics, as Prometheus metrics. */

import type {
  DatabaseState,
  DatabaseStatus,
  DestinationStatus,
  DrillRecord,
  ScrubRecord,
} from '@sluice/core';
import { Counter, Gauge, Registry } from 'prom-client';

/** The last drills and scrubs of the destinations of a database, by name. */
export interface LastDrills {
  /** Path of the database. */
  readonly db: string;
  readonly records: ReadonlyMap<string, DrillRecord>;
  readonly scrubs?: ReadonlyMap<string, ScrubRecord> | undefined;
}

export interface Metrics {
  readonly registry: Registry;
  set(databases: readonly DatabaseStatus[], drills: readonly LastDrills[], now?: Date): void;
}

const LABELS = ['db', 'destination'] as const;
const STATES: readonly DatabaseState[] = [
  'opening',
  'waiting',
  'following',
  'imaging',
  'failing',
  'ended',
];
const DRILL_RESULTS: readonly DrillRecord['result'][] = ['ok', 'failed', 'inconclusive'];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const gauge = (name: string, help: string): Gauge<(typeof LABELS)[number]> =>
    new Gauge({ name, help, labelNames: LABELS, registers: [registry] });
  const databaseGauge = (name: string, help: string): Gauge<'db'> =>
    new Gauge({ name, help, labelNames: ['db'], registers: [registry] });
  const healthy = databaseGauge(
    'sluice_db_healthy',
    '1 if every commit older than max-lag is at every destination, nothing is stuck and no drill failed, else 0',
  );
  const state = new Gauge({
    name: 'sluice_db_state',
    help: '1 for the current state of the database, 0 for the others',
    labelNames: ['db', 'state'],
    registers: [registry],
  });
  const walBytes = databaseGauge('sluice_db_wal_bytes', 'Size of its WAL file');
  const commits = new Counter({
    name: 'sluice_db_commits_total',
    help: 'Transactions seen in its WAL since the process started',
    labelNames: ['db'],
    registers: [registry],
  });
  const lag = gauge(
    'sluice_replica_lag_seconds',
    'Age in seconds of the oldest commit that the destination may lack; 0 if it has everything',
  );
  const success = gauge(
    'sluice_replica_last_success_timestamp_seconds',
    'Unix time of the last successful sync',
  );
  const txid = gauge(
    'sluice_replica_txid',
    'Highest TXID that can be restored from this destination',
  );
  const pendingFiles = gauge('sluice_replica_pending_files', 'Staged files not yet sent');
  const pendingBytes = gauge(
    'sluice_replica_pending_bytes',
    'Size of the staged files not yet sent',
  );
  const files = gauge('sluice_replica_files', 'Files at this destination');
  const bytes = gauge('sluice_replica_bytes', 'Size of the files at this destination');
  const deleted = new Counter({
    name: 'sluice_replica_deleted_files_total',
    help: 'Files deleted by retention since the process started',
    labelNames: LABELS,
    registers: [registry],
  });
  const failing = gauge('sluice_replica_failing', '1 if the last attempt failed, else 0');
  const fenced = gauge(
    'sluice_replica_fenced',
    '1 if the replica belongs to another replicator, so that nothing is written there, else 0',
  );
  const sent = new Counter({
    name: 'sluice_replica_sent_bytes_total',
    help: 'Bytes sent since the process started',
    labelNames: LABELS,
    registers: [registry],
  });
  const setLevels = createLevelMetrics(registry);
  const setScrubs = createScrubMetrics(registry);
  const drillSuccess = gauge(
    'sluice_drill_last_success_timestamp_seconds',
    'Unix time of the last drill that was ok',
  );
  const drillResult = new Gauge({
    name: 'sluice_drill_last_result',
    help: '1 for the result of the last drill, 0 for the others',
    labelNames: [...LABELS, 'result'],
    registers: [registry],
  });
  const drillWarm = gauge(
    'sluice_drill_last_warm',
    '1 if the last drill read only files newer than the copy of an earlier one, else 0',
  );
  const drillTime = gauge('sluice_drill_last_timestamp_seconds', 'Unix time of the last drill');
  const drillAge = gauge('sluice_drill_age_seconds', 'Seconds since the last drill');
  const drillRestore = gauge(
    'sluice_drill_restore_seconds',
    'Time that the last full drill needed to restore the database (RTO); absent if it did not get that far',
  );
  const drillLoss = gauge(
    'sluice_drill_loss_window_seconds',
    'Age of the newest commit that the last drill could restore (RPO), 0 if nothing was committed since; absent if unknown',
  );
  return {
    registry,
    set(databases, drills, now = new Date()) {
      for (const each of [drillRestore, drillLoss]) each.reset(); // the last drill may lack them
      for (const { db, records } of drills) {
        for (const [destination, record] of records) {
          const { result, lastSuccessAt, at, restoreMs, lossWindowMs } = record;
          const labels = { db, destination };
          const atMs = Date.parse(at);
          drillWarm.set(labels, record.kind === 'warm' ? 1 : 0);
          drillTime.set(labels, atMs / 1_000);
          drillAge.set(labels, Math.max(0, now.getTime() - atMs) / 1_000);
          if (restoreMs !== undefined) drillRestore.set(labels, restoreMs / 1_000);
          if (lossWindowMs !== undefined) drillLoss.set(labels, lossWindowMs / 1_000);
          for (const each of DRILL_RESULTS) {
            drillResult.set({ db, destination, result: each }, each === result ? 1 : 0);
          }
          if (lastSuccessAt === undefined) continue;
          drillSuccess.set(labels, Date.parse(lastSuccessAt) / 1_000);
        }
      }
      setLevels(databases);
      setScrubs(drills);
      sent.reset();
      deleted.reset();
      commits.reset();
      for (const database of databases) {
        const { path: db, destinations } = database;
        healthy.set({ db }, database.healthy ? 1 : 0);
        walBytes.set({ db }, database.walBytes);
        commits.inc({ db }, database.commitsSeen);
        for (const name of STATES) state.set({ db, state: name }, name === database.state ? 1 : 0);
        for (const at of destinations) {
          const labels = { db, destination: at.name };
          lag.set(labels, at.lagSeconds);
          pendingFiles.set(labels, at.pendingFiles);
          pendingBytes.set(labels, at.pendingBytes);
          failing.set(labels, at.state === 'failing' ? 1 : 0);
          fenced.set(labels, isFenced(at) ? 1 : 0);
          sent.inc(labels, at.bytesSent);
          if (at.files !== undefined) files.set(labels, at.files);
          if (at.bytes !== undefined) bytes.set(labels, at.bytes);
          deleted.inc(labels, at.retention?.deletedFiles ?? 0);
          // Exact up to 2^53, more than any of our counters reaches.
          if (at.txid !== undefined) txid.set(labels, Number(BigInt(`0x${at.txid}`)));
          if (at.lastSuccessAt !== undefined) {
            success.set(labels, Date.parse(at.lastSuccessAt) / 1_000);
          }
        }
      }
    },
  };
}

function isFenced({ state, lastError }: DestinationStatus): boolean {
  return state === 'failing' && lastError?.code === 'REPLICA_IN_USE';
}

/** Merged files, by level. */
function createLevelMetrics(registry: Registry): (databases: readonly DatabaseStatus[]) => void {
  const labelNames = ['db', 'level'] as const;
  const registers = [registry];
  const counter = (name: string, help: string): Counter<(typeof labelNames)[number]> =>
    new Counter({ name, help, labelNames, registers });
  const txid = new Gauge({
    name: 'sluice_level_txid',
    help: 'The newest TXID that is merged into the level',
    labelNames,
    registers,
  });
  const merges = counter('sluice_level_merges_total', 'Files made since the process started');
  const bytes = counter('sluice_level_merged_bytes_total', 'Size of these files');
  const failures = counter('sluice_level_failures_total', 'Merges that failed');
  return (databases) => {
    for (const each of [merges, bytes, failures]) each.reset();
    for (const { path: db, compaction = [] } of databases) {
      for (const level of compaction) {
        const labels = { db, level: String(level.level) };
        merges.inc(labels, level.merges);
        bytes.inc(labels, level.mergedBytes);
        failures.inc(labels, level.failures);
        if (level.txid !== undefined) txid.set(labels, Number(BigInt(`0x${level.txid}`)));
      }
    }
  };
}

/** The scrub of each destination. */
function createScrubMetrics(registry: Registry): (databases: readonly LastDrills[]) => void {
  const registers = [registry];
  const gauge = (name: string, help: string): Gauge<(typeof LABELS)[number]> =>
    new Gauge({ name, help, labelNames: LABELS, registers });
  const success = gauge(
    'sluice_scrub_last_success_timestamp_seconds',
    'Unix time at which a round of the scrub was last complete with nothing damaged at its end',
  );
  const objects = gauge('sluice_scrub_objects', 'Files read in the present or last round');
  const bytes = gauge('sluice_scrub_bytes', 'Size of these files');
  const damaged = gauge(
    'sluice_scrub_damaged_objects',
    'Files that the scrub found damaged and that are not mended',
  );
  return (databases) => {
    for (const { db, scrubs = new Map<string, ScrubRecord>() } of databases) {
      for (const [destination, record] of scrubs) {
        const labels = { db, destination };
        objects.set(labels, record.objects);
        bytes.set(labels, record.bytes);
        damaged.set(labels, record.damaged.filter(({ superseded }) => superseded !== true).length);
        if (record.lastSuccessAt === undefined) continue;
        success.set(labels, Date.parse(record.lastSuccessAt) / 1_000);
      }
    }
  };
}
