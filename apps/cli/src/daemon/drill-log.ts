/** The log line of a drill. Pure. */

import type { DrillReport } from '@sluice/core';

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** One line: a failed drill is an error, an inconclusive one a warning. */
export function toLogLine(name: string, report: DrillReport): LogLine {
  const { result, kind, problems, txid, generation, restoreMs, lossWindowMs } = report;
  const [first, ...others] = problems;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  const level = ({ ok: 'info', failed: 'error', inconclusive: 'warn' } as const)[result];
  const why = first === undefined ? '' : `: ${first.message}${more}`;
  return {
    level,
    message: `drill of ${name}: ${result}${why}`,
    fields: {
      txid,
      generation,
      restoreMs,
      lossWindowMs,
      code: first?.code,
      object: first?.object,
      kind,
    },
  };
}
