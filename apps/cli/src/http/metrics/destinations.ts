/** Metrics of each destination of a database. */

import type { DestinationStatus } from '@sluice/core';
import type { Prices } from '../../costing/prices.ts';
import type { Calls } from '../../counted-client.ts';
import { forecastMonth } from './cost.ts';
import { byLabel, toLabels, toNumber, toUnix, type FamilyGroup, type Reading } from './family.ts';

/** What the configuration says of a destination, and what was done there. */
export interface Place {
  readonly calls: Calls;
  readonly prices: Prices;
}

export interface DestinationView {
  readonly status: DestinationStatus;
  /** undefined if it is not in the configuration any more. */
  readonly place: Place | undefined;
  /** Of the process. */
  readonly uptimeMs: number;
}

export const DESTINATIONS: FamilyGroup<DestinationView> = {
  title: 'Each destination of a database',
  labels: ['db', 'destination'],
  families: [
    {
      name: 'sluice_replica_lag_seconds',
      type: 'gauge',
      help: 'Age of the oldest commit that the destination may lack, from the commit to its confirmation; 0 if it has everything. It also grows while the database cannot be read or staged',
      read: ({ status }) => status.lagSeconds,
    },
    {
      name: 'sluice_replica_lag_bytes',
      type: 'gauge',
      help: 'Size of what the destination lacks: staged files, and frames of the WAL that were read and are not staged',
      read: ({ status }) => status.lagBytes,
    },
    {
      name: 'sluice_replica_last_success_timestamp_seconds',
      type: 'gauge',
      help: 'Unix time of the last successful sync',
      read: ({ status }) => toUnix(status.lastSuccessAt),
    },
    {
      name: 'sluice_replica_txid',
      type: 'gauge',
      help: 'Highest TXID that can be restored from this destination',
      read: ({ status }) => toNumber(status.txid),
    },
    {
      name: 'sluice_replica_pending_files',
      type: 'gauge',
      help: 'Staged files not yet sent',
      read: ({ status }) => status.pendingFiles,
    },
    {
      name: 'sluice_replica_pending_bytes',
      type: 'gauge',
      help: 'Size of the staged files not yet sent',
      read: ({ status }) => status.pendingBytes,
    },
    {
      name: 'sluice_replica_failing',
      type: 'gauge',
      help: '1 if the last attempt failed, else 0',
      read: ({ status }) => (status.state === 'failing' ? 1 : 0),
    },
    {
      name: 'sluice_replica_fenced',
      type: 'gauge',
      help: '1 if the replica belongs to another replicator, so that nothing is written there, else 0',
      read: ({ status }) => (isFenced(status) ? 1 : 0),
    },
    {
      name: 'sluice_replica_damaged',
      type: 'gauge',
      help: '1 if files there are missing or damaged, so that its newest state cannot be restored from it alone, else 0',
      read: ({ status }) => (status.damage === undefined ? 0 : 1),
    },
    {
      name: 'sluice_replica_errors_total',
      type: 'counter',
      help: 'Failed attempts since the process started, by the code of the error (docs/errors.md)',
      labels: ['code'],
      read: ({ status }) => byLabel('code', status.errors),
    },
    {
      name: 'sluice_replica_sent_bytes_total',
      type: 'counter',
      help: 'Size of the files sent since the process started',
      read: ({ status }) => status.bytesSent,
    },
    {
      name: 'sluice_replica_operations_total',
      type: 'counter',
      help: 'Calls of the backend since the process started, with retries; a call of a large file or a long listing is several requests',
      labels: ['operation', 'result'],
      read: ({ place }) => place?.calls.counts.map(({ labels, count }) => [labels, count]),
    },
    {
      name: 'sluice_replica_operation_bytes_total',
      type: 'counter',
      help: 'Bytes read and written by these calls, also by those that failed',
      labels: ['operation'],
      read: ({ place }) =>
        place && [
          [GET, place.calls.readBytes],
          [PUT, place.calls.writtenBytes],
        ],
    },
    {
      name: 'sluice_replica_cost_forecast',
      type: 'gauge',
      help: 'Cost of a month by list prices, with the files there now and the calls since the start; absent in the first hour and where no prices are known. See sluice cost',
      labels: ['currency'],
      read: readCost,
    },
    {
      name: 'sluice_replica_listings_total',
      type: 'counter',
      help: 'Full listings since the process started',
      read: ({ status }) => status.listings,
    },
    {
      name: 'sluice_replica_files',
      type: 'gauge',
      help: 'Files at this destination',
      read: ({ status }) => status.files,
    },
    {
      name: 'sluice_replica_bytes',
      type: 'gauge',
      help: 'Size of the files at this destination',
      read: ({ status }) => status.bytes,
    },
    {
      name: 'sluice_replica_deleted_files_total',
      type: 'counter',
      help: 'Files deleted by retention since the process started',
      read: ({ status }) => status.retention?.deletedFiles ?? 0,
    },
    {
      name: 'sluice_replica_deleted_bytes_total',
      type: 'counter',
      help: 'Size of the files deleted by retention since the process started',
      read: ({ status }) => status.retention?.deletedBytes ?? 0,
    },
    {
      name: 'sluice_replica_delete_refused',
      type: 'gauge',
      help: '1 if the destination refuses to delete files, so that it only grows, else 0',
      read: ({ status }) => (status.retention?.refusal === undefined ? 0 : 1),
    },
  ],
};

function readCost({ status, place, uptimeMs }: DestinationView): Reading {
  if (place === undefined || place.prices.id === 'none') return undefined;
  const cost = forecastMonth({ ...place, storedBytes: status.bytes ?? 0, uptimeMs });
  return cost === undefined ? undefined : [[toLabels({ currency: place.prices.currency }), cost]];
}

const GET = toLabels({ operation: 'get' });
const PUT = toLabels({ operation: 'put' });

function isFenced({ state, lastError }: DestinationStatus): boolean {
  return state === 'failing' && lastError?.code === 'REPLICA_IN_USE';
}
