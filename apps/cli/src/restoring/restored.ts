/** Describes where a restored state was read from, and what was left out. Pure. */

import type { RestoreReport, RestoreV03Report } from '@sluice/core';
import { formatBytes } from '@sluice/core/config';
import { listOf } from './across.ts';
import type { RestoredSource } from './from-best.ts';
import { describeFailure, type Unanswered, type Unusable } from './survey.ts';

/** "near (file:///backup) and far (s3://bucket/app.db)" */
export function describePlaces(sources: readonly RestoredSource[]): string {
  return listOf(sources.map(({ destination: { name, target } }) => `${name} (${target})`));
}

/** A line after a line break; nothing for a single destination. */
export function describeSources(sources: readonly RestoredSource[]): string {
  if (sources.length < 2) return '';
  const parts = sources.map(
    ({ destination, files, sizeBytes }) =>
      `${destination.name} ${countFiles(files)}, ${formatBytes(sizeBytes)}`,
  );
  return `\nread from each: ${parts.join('; ')}`;
}

export function countFiles(count: number): string {
  return `${count} ${count === 1 ? 'file' : 'files'}`;
}

/**
 * For -json: destinations that could not be read, or that do not have the state alone. undefined if there are none.
 */
export function leftOutToJSON(
  leftOut: readonly (Unanswered | Unusable)[],
  report: RestoreReport | RestoreV03Report,
): readonly object[] | undefined {
  const asked = leftOut.map(({ destination, error }) => {
    return { replica: destination.name, ...describeFailure(error) };
  });
  const failed = 'failedSources' in report ? report.failedSources : [];
  const all = [
    ...asked,
    ...failed.map(({ source, code, message }) => ({ replica: source, code, message })),
  ];
  return all.length === 0 ? undefined : all;
}
