/**
 * Litestream's names for what has the same meaning here, for dashboards that exist already. They do not follow the rules
 * of Prometheus, and labels with `replica_type` are sums over the destinations of a type.
 */

import type { DatabaseStatus } from '@sluice/core';
import { toLabels, toNumber, type FamilyGroup, type Labels, type Reading } from './family.ts';

export interface LitestreamView {
  readonly status: DatabaseStatus;
  /** Size of the database file. */
  readonly databaseBytes: number | undefined;
}

export const LITESTREAM_DATABASES: FamilyGroup<LitestreamView> = {
  title: "Litestream's names, of each database",
  labels: ['db'],
  families: [
    {
      name: 'litestream_db_size',
      type: 'gauge',
      help: 'The current size of the real DB',
      read: ({ databaseBytes }) => databaseBytes,
    },
    {
      name: 'litestream_wal_size',
      type: 'gauge',
      help: 'The current size of the real WAL',
      read: ({ status }) => status.walBytes,
    },
    {
      name: 'litestream_total_wal_bytes',
      type: 'counter',
      help: 'Total number of bytes written to shadow WAL',
      read: ({ status }) => status.logBytes,
    },
    {
      name: 'litestream_txid',
      type: 'gauge',
      help: 'The current transaction ID',
      read: ({ status }) => toNumber(status.txid),
    },
    {
      name: 'litestream_sync_error_count',
      type: 'counter',
      help: 'Number of sync errors that have occurred',
      read: ({ status }) => sum(status.errors),
    },
    {
      name: 'litestream_disk_full',
      type: 'gauge',
      help: '1 if the last error was a full disk',
      read: ({ status }) => (status.error?.code === 'STAGING_FULL' ? 1 : 0),
    },
    {
      name: 'litestream_checkpoint_count',
      type: 'counter',
      help: 'Number of checkpoints performed',
      labels: ['mode'],
      read: ({ status }) => withMode(status.checkpoints?.count),
    },
    {
      name: 'litestream_checkpoint_seconds',
      type: 'counter',
      help: 'Time spent checkpointing WAL, in seconds',
      labels: ['mode'],
      read: ({ status }) => withMode(status.checkpoints?.seconds),
    },
  ],
};

export interface LitestreamTypeView {
  readonly operations: ReadonlyMap<string, { readonly total: number; readonly errors: number }>;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

export const LITESTREAM_TYPES: FamilyGroup<LitestreamTypeView> = {
  title: "Litestream's names, of each type of destination",
  labels: ['replica_type'],
  families: [
    {
      name: 'litestream_replica_operation_total',
      type: 'counter',
      help: 'The number of replica operations performed',
      labels: ['operation'],
      read: ({ operations }) => byOperation(operations, ({ total }) => total),
    },
    {
      name: 'litestream_replica_operation_errors_total',
      type: 'counter',
      help: 'The number of replica operations that failed',
      labels: ['operation'],
      read: ({ operations }) => byOperation(operations, ({ errors }) => errors),
    },
    {
      name: 'litestream_replica_operation_bytes',
      type: 'counter',
      help: 'The number of bytes used by replica operations',
      labels: ['operation'],
      read: ({ readBytes, writtenBytes }) => [
        [OPERATIONS.get, readBytes],
        [OPERATIONS.put, writtenBytes],
      ],
    },
  ],
};

/** Its names of our operations. */
const OPERATIONS: Readonly<Record<string, Labels>> & Record<'get' | 'put', Labels> = {
  list: toLabels({ operation: 'LIST' }),
  get: toLabels({ operation: 'GET' }),
  put: toLabels({ operation: 'PUT' }),
  delete: toLabels({ operation: 'DELETE' }),
  copy: toLabels({ operation: 'COPY' }),
};
const PASSIVE = toLabels({ mode: 'PASSIVE' });

function byOperation<Value>(
  operations: ReadonlyMap<string, Value>,
  read: (value: Value) => number,
): Reading {
  return [...operations].map(([operation, value]) => [
    OPERATIONS[operation] ?? toLabels({ operation }),
    read(value),
  ]);
}

function withMode(value: number | undefined): Reading {
  return value === undefined ? undefined : [[PASSIVE, value]];
}

function sum(errors: Readonly<Record<string, number>> = {}): number {
  return Object.values(errors).reduce((total, count) => total + count, 0);
}
