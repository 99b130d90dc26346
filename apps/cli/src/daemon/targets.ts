/** A database of the configuration, as the replicator takes it. */

import type { ReplicatedDatabase, ReplicaTarget } from '@sluice/core';
import type { DatabaseConfig, DestinationConfig } from '../config/model.ts';
import type { Destinations } from '../destinations.ts';
import type { DamageReport } from '../scrubbing/background.ts';

/** Nothing is touched before `ready`. */
export function toReplicated(
  { options, destinations }: DatabaseConfig,
  connections: Destinations,
  damage: DamageReport,
  ready?: Promise<void>,
): ReplicatedDatabase {
  return {
    options,
    targets: destinations
      .filter(({ enabled }) => enabled !== false)
      .map((destination) => toTarget(destination, connections, damage)),
    ready,
  };
}

function toTarget(
  destination: DestinationConfig,
  connections: Destinations,
  damage: DamageReport,
): ReplicaTarget {
  const { name, type, target, retention, syncIntervalMs, snapshotIntervalMs, lease } = destination;
  const open: ReplicaTarget['open'] = (signal) => connections.open(destination, signal);
  return {
    name,
    type,
    target,
    retention,
    syncIntervalMs,
    snapshotIntervalMs,
    lease,
    open,
    damage: () => damage.of(destination),
  };
}
