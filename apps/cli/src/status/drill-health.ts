/**
 * A failed drill makes its destination and its database unhealthy until a drill of that destination succeeds.
 * `evaluateHealth` judges what the replicator measured; this adds the drills to it. Pure.
 */

import {
  currentFailure,
  type DatabaseStatus,
  type DrillFailure,
  type DrillRecord,
  type Problem,
} from '@sluice/core';
import type { LastResults } from './last-results.ts';

/** undefined if no failed drill counts. */
export function drillProblem(name: string, record: DrillRecord | undefined): Problem | undefined {
  const failure = record && currentFailure(record);
  if (failure === undefined) return undefined;
  const message =
    `${name} failed its drill of ${failure.at} (${describeKind(failure)}): ${reasonOf(failure)}; ` +
    `see docs/runbook.md, "When a drill fails". A ${strengthOf(failure)} drill ${scopeOf(failure)}that is ok clears this`;
  return { stage: 'drill', destination: name, message };
}

/** The same databases, unhealthy where a failed drill of one of their destinations counts. */
export function withDrills(
  databases: readonly DatabaseStatus[],
  results: ReadonlyMap<string, Pick<LastResults, 'drills'>>,
): DatabaseStatus[] {
  return databases.map((database) => {
    const drills = results.get(database.path)?.drills;
    if (drills === undefined || drills.size === 0) return database;
    const failed = [...drills].flatMap(([name, record]) => drillProblem(name, record) ?? []);
    if (failed.length === 0) return database;
    const problems = [...database.problems, ...failed];
    return { ...database, healthy: false, problems };
  });
}

function describeKind({ kind, startedBy }: DrillFailure): string {
  const by = { schedule: ', scheduled', command: ', started by hand' } as const;
  return `${kind ?? 'full'}${startedBy === undefined ? '' : by[startedBy]}`;
}

/** A full drill is as strong as any other. */
function strengthOf({ kind }: DrillFailure): string {
  return kind === 'warm' ? 'full or warm' : 'full';
}

/** A scheduled drill checks it anyway; one by hand is told to. */
function scopeOf({ assertions = [] }: DrillFailure): string {
  return assertions.length === 0 ? '' : 'with these assertions ';
}

function reasonOf({
  problems: [first = 'no reason was recorded', ...others],
}: DrillFailure): string {
  return others.length === 0 ? first : `${first} (and ${others.length} more)`;
}
