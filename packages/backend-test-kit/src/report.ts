/** A report that a person reads: promise, verdict, what was seen. */

import type { Result, Verdict } from './judge.ts';
import type { Report } from './run.ts';
import type { Layer } from './subject.ts';

const WORDS: Readonly<Record<Verdict, string>> = {
  kept: 'kept      ',
  broken: 'BROKEN    ',
  'not judged': 'not judged',
};

/** Several lines, the last one a summary. What is the same at both layers is said once. */
export function formatReport({ name, results, isPassed, seed }: Report): string {
  const lines = results
    .filter((result) => !isSaidAlready(result, results))
    .flatMap((result) => formatResult(result, layersOf(result, results)));
  const counts = (['kept', 'broken', 'not judged'] as const).map(
    (verdict) => `${results.filter((result) => result.verdict === verdict).length} ${verdict}`,
  );
  const passed = isPassed ? 'passed' : 'NOT PASSED';
  return [name, ...lines, `${passed}: ${counts.join(', ')}; seed ${seed}`, ''].join('\n');
}

/** One line, and one more for each thing that there is to say. */
export function formatResult(result: Result, layers: readonly Layer[] = [result.layer]): string[] {
  const { id, promise, verdict, why, seen, isExpected } = result;
  const word = verdict === 'kept' && !isExpected ? 'UNEXPECTED' : WORDS[verdict];
  const lines = [`  ${word}  ${id} (${layers.join(', ')}): ${promise}`];
  if (why !== undefined) lines.push(`              why: ${why}`);
  if (seen !== undefined) lines.push(`              seen: ${seen.replaceAll('\n', ' ')}`);
  return lines;
}

function layersOf(result: Result, results: readonly Result[]): Layer[] {
  return results.filter((other) => isSame(result, other)).map(({ layer }) => layer);
}

function isSaidAlready(result: Result, results: readonly Result[]): boolean {
  return results.find((other) => isSame(result, other)) !== result;
}

function isSame(a: Result, b: Result): boolean {
  return a.id === b.id && a.verdict === b.verdict && a.why === b.why && a.seen === b.seen;
}
