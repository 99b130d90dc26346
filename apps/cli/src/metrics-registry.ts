/** The metrics of /metrics, as Prometheus metrics. */

import type { DatabaseState, DatabaseStatus, DrillRecord } from '@sluice/core';
import { Counter, Gauge, Registry } from 'prom-client';

/** The last drills of the destinations of a database, by name. */
export interface LastDrills {
  /** Path of the database. */
  readonly db: string;
  readonly records: ReadonlyMap<string, DrillRecord>;
}

export interface Metrics {
  readonly registry: Registry;
  set(databases: readonly DatabaseStatus[], drills: readonly LastDrills[]): void;
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
    '1 if every commit older than max-lag is at every destination and nothing is stuck, else 0',
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
  const failing = gauge('sluice_replica_failing', '1 if the last attempt failed, else 0');
  const sent = new Counter({
    name: 'sluice_replica_sent_bytes_total',
    help: 'Bytes sent since the process started',
    labelNames: LABELS,
    registers: [registry],
  });
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
  return {
    registry,
    set(databases, drills) {
      for (const { db, records } of drills) {
        for (const [destination, { result, lastSuccessAt }] of records) {
          for (const each of DRILL_RESULTS) {
            drillResult.set({ db, destination, result: each }, each === result ? 1 : 0);
          }
          if (lastSuccessAt === undefined) continue;
          drillSuccess.set({ db, destination }, Date.parse(lastSuccessAt) / 1_000);
        }
      }
      sent.reset();
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
          sent.inc(labels, at.bytesSent);
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
