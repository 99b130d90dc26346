/** The body of /metrics: all families, for all databases. */

import fs from 'node:fs';
import type { DatabaseStatus } from '@sluice/core';
import type { Calls } from '../../counted-client.ts';
import type { LastResults } from '../../status/last-results.ts';
import type { StartRestore } from '../../daemon/restore-missing.ts';
import { DATABASES } from './databases.ts';
import { DESTINATIONS, type DestinationView, type Place } from './destinations.ts';
import { toLabels, type FamilyGroup, type LabeledView } from './family.ts';
import {
  LITESTREAM_DATABASES,
  LITESTREAM_TYPES,
  type LitestreamTypeView,
} from './litestream-names.ts';
import { PROCESS, type ProcessView } from './process.ts';
import { RESTORES } from './restores.ts';
import { MetricsText } from './text.ts';
import { RESULTS, type ResultView } from './results.ts';

/** The version of the text format. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export interface MetricsInput {
  readonly databases: readonly DatabaseStatus[];
  readonly results: ReadonlyMap<string, LastResults>;
  /** Of the databases that were missing at the start. */
  readonly restores: ReadonlyMap<string, StartRestore>;
  readonly placeOf: (database: string, destination: string) => Place | undefined;
  readonly process: ProcessView;
  /** Unix time in ms. */
  readonly now: number;
  readonly names: 'ours' | 'also those of Litestream';
}

/** In parts. Those of a family are made when they are asked for. */
export function* writeMetrics(input: MetricsInput): Generator<Buffer, void> {
  const text = new MetricsText();
  yield* write(text, PROCESS, [{ labels: Buffer.alloc(0), view: input.process }]);
  yield* write(text, DATABASES, input.databases.map(toDatabaseView));
  yield* write(text, DESTINATIONS, input.databases.flatMap(toDestinationViews(input)));
  yield* write(text, RESULTS, toResultViews(input));
  yield* write(text, RESTORES, toRestoreViews(input));
  if (input.names === 'also those of Litestream') yield* writeLitestream(text, input);
  yield* text.end();
}

function* write<View>(
  text: MetricsText,
  { families }: FamilyGroup<View>,
  views: readonly LabeledView<View>[],
): Generator<Buffer, void> {
  for (const family of families) {
    text.add(family, views);
    yield* text.take();
  }
}

function labelBytes(pairs: Readonly<Record<string, string>>): Buffer {
  return Buffer.from(toLabels(pairs));
}

function toDatabaseView(view: DatabaseStatus): LabeledView<DatabaseStatus> {
  return { labels: labelBytes({ db: view.path }), view };
}

function toDestinationViews({
  placeOf,
  process: { startedAt },
  now,
}: MetricsInput): (database: DatabaseStatus) => LabeledView<DestinationView>[] {
  const uptimeMs = now - startedAt * 1_000;
  return ({ path: db, destinations }) =>
    destinations.map((status) => ({
      labels: labelBytes({ db, destination: status.name }),
      view: { status, place: placeOf(db, status.name), uptimeMs },
    }));
}

function toRestoreViews({ restores }: MetricsInput): LabeledView<StartRestore>[] {
  return [...restores].map(([db, view]) => ({ labels: labelBytes({ db }), view }));
}

function toResultViews({ results, now }: MetricsInput): LabeledView<ResultView>[] {
  return [...results].flatMap(([db, { drills, scrubs, repair }]) => {
    const repaired = repair?.destinations.map(({ name }) => name) ?? [];
    const names = new Set([...drills.keys(), ...scrubs.keys(), ...repaired]);
    return [...names].map((destination) => ({
      labels: labelBytes({ db, destination }),
      view: {
        drill: drills.get(destination),
        scrub: scrubs.get(destination),
        repair,
        destination,
        now,
      },
    }));
  });
}

function* writeLitestream(
  text: MetricsText,
  { databases, placeOf }: MetricsInput,
): Generator<Buffer, void> {
  const views = databases.map((status) => ({
    labels: labelBytes({ db: status.path }),
    view: { status, databaseBytes: sizeOf(status.path) },
  }));
  yield* write(text, LITESTREAM_DATABASES, views);
  yield* write(text, LITESTREAM_TYPES, toTypeViews(databases, placeOf));
}

function toTypeViews(
  databases: readonly DatabaseStatus[],
  placeOf: MetricsInput['placeOf'],
): LabeledView<LitestreamTypeView>[] {
  const types = new Map<string, Calls[]>();
  for (const { path, destinations } of databases) {
    for (const { name, type } of destinations) {
      const calls = placeOf(path, name)?.calls;
      if (calls === undefined) continue;
      const known = types.get(type);
      if (known === undefined) types.set(type, [calls]);
      else known.push(calls);
    }
  }
  return [...types].map(([type, all]) => ({
    labels: labelBytes({ replica_type: type }),
    view: sumOf(all),
  }));
}

function sumOf(all: readonly Calls[]): LitestreamTypeView {
  const operations = new Map<string, { total: number; errors: number }>();
  for (const { operation, result, count } of all.flatMap(({ counts }) => counts)) {
    const known = operations.get(operation) ?? { total: 0, errors: 0 };
    known.total += count;
    if (result === 'error') known.errors += count;
    operations.set(operation, known);
  }
  return {
    operations,
    readBytes: all.reduce((sum, { readBytes }) => sum + readBytes, 0),
    writtenBytes: all.reduce((sum, { writtenBytes }) => sum + writtenBytes, 0),
  };
}

function sizeOf(file: string): number | undefined {
  try {
    return fs.statSync(file, { throwIfNoEntry: false })?.size;
  } catch {
    return undefined;
  }
}
