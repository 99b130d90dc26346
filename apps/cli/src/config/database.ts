/** Reads one database of the configuration, with its destinations. */

import type { DatabaseOptions } from '@sluice/core';
import { isMap, validate } from '@sluice/core/config';
import { DIRECTORY } from './fields/directory.ts';
import { drillSettings, type DrillSettings } from './fields/drill.ts';
import { leaseOf } from './fields/lease.ts';
import { hintForText } from './fields/path.ts';
import { scrubSettings } from './fields/scrub.ts';
import type { DatabaseConfig, DestinationConfig } from './model.ts';
import { spell, type Path } from './problems.ts';
import { readReplica, type ReadReplica, type ReplicaContext } from './replica.ts';
import { retentionOf } from './fields/retention.ts';
import { DATABASE, DATABASE_PLACE, type DatabaseSection, type TopSection } from './schema.ts';
import { readSection, withoutLitestream, type Section } from './section.ts';

const DAY_MS = 24 * 3_600_000;

export interface DatabaseContext extends ReplicaContext {
  readonly defaults: Pick<
    TopSection,
    | 'drill'
    | 'l0-retention'
    | 'lease'
    | 'levels'
    | 'max-lag'
    | 'retention'
    | 'scrub'
    | 'snapshot'
    | 'validation'
    | 'validation-interval'
    | 'verify-compaction'
  >;
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
  const section = withoutLitestream(written, path, 'database', { problems, notes });
  for (const key of Object.keys(DIRECTORY).filter((each) => each in written)) {
    problems.add(
      [...path, key],
      `${spell([...path, key])}: needs dir, because it is not for one database`,
    );
  }
  const replicas = await readReplicas(section, path, context);
  const read = readSection(DATABASE, section, path, { problems, what: 'a database' });
  const place = read ?? placeOf(section);
  if (place === undefined) return undefined;
  const options: Partial<DatabaseOptions> & { readonly path: string } = {
    path: place.path,
    ...(place['meta-path'] === undefined ? {} : { metaPath: place['meta-path'] }),
    ...(read === undefined ? {} : optionsOf(read, replicas, defaults)),
  };
  const { snapshotAtMinutes, snapshotIntervalMs = DAY_MS } = options;
  const intervalsMs = replicas
    .filter(({ destination }) => destination.enabled !== false)
    .map((replica) => replica.snapshotIntervalMs ?? snapshotIntervalMs);
  if (snapshotAtMinutes !== undefined && Math.min(snapshotIntervalMs, ...intervalsMs) < DAY_MS) {
    const message = `${spell(path)}: snapshot.at needs a snapshot.interval of at least 24h`;
    problems.add([...path, 'snapshot'], message);
  }
  if (replicas.length > 0 && replicas.every(({ destination }) => destination.enabled === false)) {
    const message = `${spell(path)}: every destination has enabled: false, so nothing would be backed up`;
    problems.add(path, `${message}; enable one, or remove the database`);
  }
  const destinations = nameAll(
    replicas.map(({ name, destination, lease, retention, syncIntervalMs, snapshotIntervalMs }) => ({
      ...destination,
      name,
      syncIntervalMs,
      snapshotIntervalMs,
      lease: leaseOf(lease, read?.lease, defaults.lease),
      retention: retentionOf({
        replica: retention,
        database: read?.snapshot.retention,
        top: defaults.retention,
        snapshots: defaults.snapshot.retention,
        l0RetentionMs: defaults['l0-retention'],
        levels: defaults.levels?.length,
      }),
    })),
  );
  return {
    config: {
      options,
      restoreIfMissing: read?.['restore-if-db-not-exists'] ?? false,
      destinations,
      drills: drillsOf(destinations, replicas, read, defaults),
      scrub: scrubSettings(read?.scrub, defaults.scrub),
    },
    path,
    replicas,
  };
}

function drillsOf(
  destinations: readonly DestinationConfig[],
  replicas: readonly ReadReplica[],
  read: DatabaseSection | undefined,
  { drill: top, ...defaults }: DatabaseContext['defaults'],
): DatabaseConfig['drills'] {
  const validation = defaults['validation-interval'] ?? defaults.validation.interval;
  const drills = destinations.map(({ name }, index): [string, DrillSettings | undefined] => {
    const own = replicas[index]?.validationIntervalMs;
    return [name, drillSettings({ own, database: read?.drill, top, validation })];
  });
  return Object.fromEntries(drills.filter((each): each is [string, DrillSettings] => !!each[1]));
}

function placeOf(section: Section): { path: string; 'meta-path'?: string | undefined } | undefined {
  const { path, 'meta-path': metaPath } = section;
  const result = validate(DATABASE_PLACE, { path, 'meta-path': metaPath }, { what: 'a database' });
  return result.kind === 'valid' ? result.value : undefined;
}

/** Options that core completes if they are not set. */
type Defaulted = 'syncIntervalMs' | 'levels';

function optionsOf(
  read: DatabaseSection,
  replicas: readonly ReadReplica[],
  defaults: DatabaseContext['defaults'],
): Omit<DatabaseOptions, 'path' | 'metaPath' | Defaulted> &
  Partial<Pick<DatabaseOptions, Defaulted>> {
  // A file is made once for all destinations; those with a longer interval get merged files.
  const enabled = replicas.filter(({ destination }) => destination.enabled !== false);
  const syncIntervalMs = least(enabled.map((replica) => replica.syncIntervalMs));
  return {
    ...(syncIntervalMs === undefined ? {} : { syncIntervalMs }),
    monitorIntervalMs: read['monitor-interval'],
    idleCloseMs: read['idle-close'],
    checkpointIntervalMs: read['checkpoint-interval'],
    minCheckpointPageCount: read['min-checkpoint-page-count'],
    truncatePageN: read['truncate-page-n'],
    busyTimeoutMs: read['busy-timeout'],
    stagingMaxBytes: read['staging-max-bytes'],
    snapshotIntervalMs: read.snapshot.interval ?? defaults.snapshot.interval,
    snapshotAtMinutes: read.snapshot.at ?? defaults.snapshot.at,
    snapshotMaxAgeMs: read.snapshot['max-age'] ?? defaults.snapshot['max-age'],
    maxLagMs: read['max-lag'] ?? defaults['max-lag'],
    pageEncoding: read['page-encoding'],
    verifyCompaction: defaults['verify-compaction'],
    ...(defaults.levels === undefined ? {} : { levels: defaults.levels }),
  };
}

async function readReplicas(
  section: Section,
  path: Path,
  context: DatabaseContext,
): Promise<ReadReplica[]> {
  const { problems } = context;
  const { replica, replicas } = section;
  const at = [...path, 'replicas'];
  const hasOne = 'replica' in section;
  const hasMany = 'replicas' in section;
  if (hasOne && hasMany) {
    problems.add(at, `${spell(path)}: replica and replicas cannot be used together`);
  } else if (!hasOne && !hasMany) {
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
    if (!isMap(item))
      problems.add(where, `${spell(where)} must be a map of keys${hintForText(item)}`);
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
