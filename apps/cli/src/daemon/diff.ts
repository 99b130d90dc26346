/** What differs between two configurations, for a reload. Pure. */

import { sameConfig } from '@sluice/core/config';
import type { Config, DatabaseConfig } from '../config/model.ts';

/** A database under the same path, with other settings. */
export interface Change {
  readonly before: DatabaseConfig;
  readonly after: DatabaseConfig;
}

/** Each database of both configurations is in exactly one list. */
export interface DatabaseChanges {
  readonly removed: readonly DatabaseConfig[];
  readonly added: readonly DatabaseConfig[];
  /** Its replication has to start again. */
  readonly changed: readonly Change[];
  /** Only its drills, its scrub, or what a start does differ: its replication continues. */
  readonly rescheduled: readonly Change[];
  /** As they were before. */
  readonly unchanged: readonly DatabaseConfig[];
}

/** `before` and `after` have each path once. */
export function diffDatabases(
  before: readonly DatabaseConfig[],
  after: readonly DatabaseConfig[],
): DatabaseChanges {
  const known = new Map(before.map((database) => [database.options.path, database]));
  const wanted = new Set(after.map(({ options }) => options.path));
  const changes = {
    removed: before.filter(({ options }) => !wanted.has(options.path)),
    added: [] as DatabaseConfig[],
    changed: [] as Change[],
    rescheduled: [] as Change[],
    unchanged: [] as DatabaseConfig[],
  };
  for (const database of after) {
    const old = known.get(database.options.path);
    if (old === undefined) changes.added.push(database);
    else if (!isSameReplication(old, database)) {
      changes.changed.push({ before: old, after: database });
    } else if (sameConfig(old, database)) changes.unchanged.push(old);
    else changes.rescheduled.push({ before: old, after: database });
  }
  return changes;
}

/** Nothing differs. */
export function isNoChange({ removed, added, changed, rescheduled }: DatabaseChanges): boolean {
  return [removed, added, changed, rescheduled].every(({ length }) => length === 0);
}

/** Names of the settings that differ and are read only at the start of the process. */
export function settingsOfStart(before: Config, after: Config): string[] {
  const settings = [
    ['addr', before.addr, after.addr],
    ['exec', before.exec, after.exec],
    ['logging', before.log, after.log],
  ] as const;
  return settings.filter(([, a, b]) => !sameConfig(a, b)).map(([name]) => name);
}

function isSameReplication(a: DatabaseConfig, b: DatabaseConfig): boolean {
  return sameConfig(a.options, b.options) && sameConfig(a.destinations, b.destinations);
}

export const NO_CHANGES: DatabaseChanges = {
  removed: [],
  added: [],
  changed: [],
  rescheduled: [],
  unchanged: [],
};
