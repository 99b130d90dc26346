/** Reads one database of the configuration, with its destinations. */

import type { DatabaseOptions } from '@sluice/core';
import { isMap, validate } from '@sluice/core/config';
import type { DatabaseConfig, DestinationConfig } from './model.ts';
import { spell, type Path } from './problems.ts';
import { readReplica, type ReadReplica, type ReplicaContext } from './replica.ts';
import { DATABASE, DATABASE_PLACE, type DatabaseSection, type TopSection } from './schema.ts';
import { readSection, withoutLitestream, type Section } from './section.ts';

export interface DatabaseContext extends ReplicaContext {
  readonly defaults: Pick<TopSection, 'max-lag' | 'snapshot'>;
}

export interface ReadDatabase {
  /** Complete only if no problem was found. */
  readonly config: DatabaseConfig;
  readonly path: Path;
  readonly replicas: readonly ReadReplica[];
}

/** Returns undefined, with a problem added, if the path is missing or invalid. */
export async function readDatabase(
  written: unknown,
  path: Path,
  context: DatabaseContext,
): Promise<ReadDatabase | undefined> {
  const { problems, notes, defaults } = context;
  if (!isMap(written)) {
    problems.add(path, `${spell(path)} must be a map with a path and its replicas`);
    return undefined;
  }
  const isFolder = 'dir' in written; // refused, so its missing keys are not reported
  const section = withoutLitestream(written, path, 'database', { problems, notes });
  const replicas = await readReplicas(section, path, context, isFolder ? 'optional' : 'required');
  const whole = isFolder && section['path'] === undefined ? { ...section, path: '/-' } : section;
  const read = readSection(DATABASE, whole, path, { problems, what: 'a database' });
  const place = read ?? placeOf(section);
  if (place === undefined || isFolder) return undefined;
  const options = {
    path: place.path,
    ...(place['meta-path'] === undefined ? {} : { metaPath: place['meta-path'] }),
    ...(read === undefined ? {} : optionsOf(read, replicas, defaults)),
  };
  return {
    config: {
      options,
      restoreIfMissing: read?.['restore-if-db-not-exists'] ?? false,
      destinations: nameAll(replicas.map(({ name, destination }) => ({ ...destination, name }))),
    },
    path,
    replicas,
  };
}

function placeOf(section: Section): { path: string; 'meta-path'?: string | undefined } | undefined {
  const { path, 'meta-path': metaPath } = section;
  const result = validate(DATABASE_PLACE, { path, 'meta-path': metaPath }, { what: 'a database' });
  return result.kind === 'valid' ? result.value : undefined;
}

function optionsOf(
  read: DatabaseSection,
  replicas: readonly ReadReplica[],
  defaults: DatabaseContext['defaults'],
): Omit<DatabaseOptions, 'path' | 'metaPath' | 'syncIntervalMs'> & { syncIntervalMs?: number } {
  // The same file is sent to all destinations, so the shortest interval applies to all.
  const syncIntervalMs = least(replicas.map((replica) => replica.syncIntervalMs));
  return {
    ...(syncIntervalMs === undefined ? {} : { syncIntervalMs }),
    monitorIntervalMs: read['monitor-interval'],
    checkpointIntervalMs: read['checkpoint-interval'],
    minCheckpointPageCount: read['min-checkpoint-page-count'],
    truncatePageN: read['truncate-page-n'],
    busyTimeoutMs: read['busy-timeout'],
    stagingMaxBytes: read['staging-max-bytes'],
    snapshotIntervalMs:
      least(replicas.map((replica) => replica.snapshotIntervalMs)) ??
      read.snapshot.interval ??
      defaults.snapshot.interval,
    maxLagMs: read['max-lag'] ?? defaults['max-lag'],
    pageEncoding: read['page-encoding'],
  };
}

async function readReplicas(
  section: Section,
  path: Path,
  context: DatabaseContext,
  need: 'required' | 'optional',
): Promise<ReadReplica[]> {
  const { problems } = context;
  const { replica, replicas } = section;
  const at = [...path, 'replicas'];
  const hasOne = 'replica' in section;
  const hasMany = 'replicas' in section;
  if (hasOne && hasMany) {
    problems.add(at, `${spell(path)}: replica and replicas cannot be used together`);
  } else if (!hasOne && !hasMany && need === 'required') {
    problems.add(path, `${spell(path)}: replicas is missing: add at least one destination`);
  }
  const found: [unknown, Path][] = isMap(replica) ? [[replica, [...path, 'replica']]] : [];
  if (Array.isArray(replicas)) {
    if (replicas.length === 0)
      problems.add(at, `${spell(at)} is empty: add at least one destination`);
    found.push(...replicas.map((item: unknown, index): [unknown, Path] => [item, [...at, index]]));
  }
  const read: ReadReplica[] = [];
  for (const [item, where] of found) {
    if (!isMap(item)) problems.add(where, `${spell(where)} must be a map of keys`);
    else {
      const one = await readReplica(item, where, context);
      if (one !== undefined) read.push(one);
    }
  }
  return read;
}

/** A destination without a name is named after its type: s3, s3-2, s3-3. */
function nameAll(
  destinations: readonly (Omit<DestinationConfig, 'name'> & { name?: string | undefined })[],
): DestinationConfig[] {
  const taken = new Set(destinations.map(({ name }) => name));
  return destinations.map((destination) => {
    if (destination.name !== undefined) return { ...destination, name: destination.name };
    let name = destination.type;
    for (let number = 2; taken.has(name); number += 1) name = `${destination.type}-${number}`;
    taken.add(name);
    return { ...destination, name };
  });
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const given = values.filter((value) => value !== undefined);
  return given.length === 0 ? undefined : Math.min(...given);
}
