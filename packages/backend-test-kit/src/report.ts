/** Formats a report as text. */

import type { Result, Status } from './run-case.ts';
import type { Report } from './run.ts';
import type { Layer } from './subject.ts';

const LABELS: Readonly<Record<Status, string>> = {
  passed: 'passed    ',
  failed: 'FAILED    ',
  'not tested': 'not tested',
};

/** Multiple lines; the last one is a summary. Equal results of both layers are merged. */
export function formatReport({ name, results, isPassed, seed }: Report): string {
  const lines = results
    .filter((result) => !isMerged(result, results))
    .flatMap((result) => formatResult(result, layersOf(result, results)));
  const counts = (['passed', 'failed', 'not tested'] as const).map(
    (status) => `${results.filter((result) => result.status === status).length} ${status}`,
  );
  const passed = isPassed ? 'passed' : 'FAILED';
  return [name, ...lines, `${passed}: ${counts.join(', ')}; seed ${seed}`, ''].join('\n');
}

/** One line, followed by the reason and the details if there are any. */
export function formatResult(result: Result, layers: readonly Layer[] = [result.layer]): string[] {
  const { id, promise, status, reason, details, isExpected } = result;
  const label = status === 'passed' && !isExpected ? 'UNEXPECTED' : LABELS[status];
  const lines = [`  ${label}  ${id} (${layers.join(', ')}): ${promise}`];
  if (reason !== undefined) lines.push(`              reason: ${reason}`);
  if (details !== undefined) lines.push(`              details: ${details.replaceAll('\n', ' ')}`);
  return lines;
}

function layersOf(result: Result, results: readonly Result[]): Layer[] {
  return results.filter((other) => isSame(result, other)).map(({ layer }) => layer);
}

function isMerged(result: Result, results: readonly Result[]): boolean {
  return results.find((other) => isSame(result, other)) !== result;
}

function isSame(a: Result, b: Result): boolean {
  return a.id === b.id && a.status === b.status && a.reason === b.reason && a.details === b.details;
}
