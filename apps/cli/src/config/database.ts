/** One database of the configuration, with its destinations. */

import path from 'node:path';
import type { DatabaseOptions } from '@sluice/core';
import { expandHome } from '@sluice/core/backend';
import { keysOf } from '../surface/keys.ts';
import { readReplica, type ReadReplica, type ReplicaContext } from './destination.ts';
import type { MapNode, Node } from './document.ts';
import { spell, type Issues, type Path } from './issues.ts';
import { hasControlCharacter } from '../control-characters.ts';
import type { DatabaseConfig, DestinationConfig } from './model.ts';
import { Values } from './values.ts';

/** Litestream takes them off. */
const SCHEME = /^sqlite3?:\/\//;

export interface ReadDatabase {
  readonly config: DatabaseConfig;
  readonly path: Path;
  readonly replicas: readonly ReadReplica[];
  readonly notes: Values['notes'];
}

/** undefined where it has no path: the issues tell why. */
export async function readDatabase(
  node: Node,
  path: Path,
  context: ReplicaContext,
): Promise<ReadDatabase | undefined> {
  const { issues, defaults } = context;
  if (node.kind !== 'map') {
    issues.add(path, `${spell(path)} must be a map with a path and its replicas`);
    return undefined;
  }
  const values = new Values(node, path, keysOf('database'), issues);
  const replicas = await readReplicas(node, values, path, context);
  const file = values.text('path');
  if (file === undefined) {
    // Where a folder is named instead, that it is refused says it all.
    if (!node.entries.has('dir')) issues.add(path, `${spell(path)}: path is missing`);
    return undefined;
  }
  checkPath(file.replace(SCHEME, ''), [...path, 'path'], issues);
  const metaPath = values.text('meta-path');
  if (metaPath !== undefined) checkPath(metaPath, [...path, 'meta-path'], issues);
  const options = {
    path: toDatabasePath(file),
    metaPath: metaPath === undefined ? undefined : absolute(metaPath),
    // One file goes to all destinations, so the shortest interval of any counts for all.
    syncIntervalMs: least(replicas.map((replica) => replica.syncIntervalMs)),
    monitorIntervalMs: values.number('monitor-interval'),
    checkpointIntervalMs: values.number('checkpoint-interval'),
    minCheckpointPageCount: values.number('min-checkpoint-page-count'),
    truncatePageN: values.number('truncate-page-n'),
    busyTimeoutMs: values.number('busy-timeout'),
    stagingMaxBytes: values.number('staging-max-bytes'),
    snapshotIntervalMs:
      least(replicas.map((replica) => replica.snapshotIntervalMs)) ??
      values.number('snapshot.interval') ??
      defaults.number('snapshot.interval'),
    maxLagMs: values.number('max-lag') ?? defaults.number('max-lag'),
    pageEncoding: values.text('page-encoding') as DatabaseOptions['pageEncoding'] | undefined,
  } satisfies { [Name in keyof DatabaseOptions]: DatabaseOptions[Name] | undefined };
  return {
    config: {
      options: withoutUndefined(options),
      restoreIfMissing: values.boolean('restore-if-db-not-exists') === true ? 'yes' : 'no',
      destinations: nameAll(replicas.map(({ name, destination }) => ({ ...destination, name }))),
    },
    path,
    replicas,
    notes: values.notes,
  };
}

async function readReplicas(
  node: MapNode,
  values: Values,
  path: Path,
  context: ReplicaContext,
): Promise<ReadReplica[]> {
  const { issues } = context;
  const has = (name: string): boolean => node.entries.has(name);
  if (has('replica') && has('replicas')) {
    issues.add([...path, 'replicas'], `${spell(path)}: replica and replicas, where one will do`);
  } else if (!has('replica') && !has('replicas') && !has('dir')) {
    issues.add(path, `${spell(path)}: replicas are missing: it would go nowhere`);
  }
  const one = values.node('replica');
  const many = values.node('replicas');
  const found: [Node, Path][] = one === undefined ? [] : [[one, [...path, 'replica']]];
  if (many?.kind === 'list') {
    const at = [...path, 'replicas'];
    if (many.items.length === 0) issues.add(at, `${spell(at)} is empty: it would go nowhere`);
    found.push(
      ...many.items.map((item, index): [Node, Path] => [item, [...path, 'replicas', index]]),
    );
  }
  const read: ReadReplica[] = [];
  for (const [item, at] of found) {
    if (item.kind !== 'map') issues.add(at, `${spell(at)} must be a map of keys`);
    else {
      const replica = await readReplica(item, at, context);
      if (replica !== undefined) read.push(replica);
    }
  }
  return read;
}

/** Names that are given stay; others are their type, numbered from the second on. */
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

/** As it is called by all of us: absolute, without the schemes that Litestream takes off. */
export function toDatabasePath(written: string): string {
  return absolute(written.replace(SCHEME, ''));
}

/** Adds an issue for what cannot be meant. */
function checkPath(written: string, at: Path, issues: Issues): void {
  const say = (problem: string): void => issues.add(at, `${spell(at)}: ${problem}`);
  if (hasControlCharacter(written)) {
    say(`${JSON.stringify(written)} holds a line break or another control character`);
  } else if (/^~[^/]/.test(written)) {
    say(`${written}: only ~ and ~/… are understood; write the whole path`);
  } else if (/^[a-z][a-z0-9+.-]*:\/\//i.test(written)) {
    say(`${written} is a URL, and a database is a file`);
  } else if (absolute(written) === path.resolve('/')) {
    say(`${written} is the root of the file system`);
  }
}

function absolute(written: string): string {
  return path.resolve(expandHome(written));
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const given = values.filter((value) => value !== undefined);
  return given.length === 0 ? undefined : Math.min(...given);
}

function withoutUndefined(
  options: { [Name in keyof DatabaseOptions]: DatabaseOptions[Name] | undefined } & {
    path: string;
  },
): DatabaseConfig['options'] {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as DatabaseConfig['options'];
}
