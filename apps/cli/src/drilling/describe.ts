/** The output of `sluice drill`: text for people, and the keys of its JSON. Pure. */

import type { DrillReport } from '@sluice/core';
import { formatBytes } from '@sluice/core/config';
import { EXIT_CODES } from '../exit-codes.ts';
import type { DrillFlags } from './flags.ts';

/** One drill: a destination, of a configured database or given by URL. */
export interface Drilled {
  /** undefined if a URL was given. */
  readonly database: string | undefined;
  readonly name: string;
  readonly type: string;
  readonly target: string;
  readonly report: DrillReport;
}

export function exitCodeOfDrills(reports: readonly DrillReport[]): number {
  if (reports.some(({ result }) => result === 'failed')) return EXIT_CODES.drillFailed;
  if (reports.some(({ result }) => result === 'inconclusive')) return EXIT_CODES.drillInconclusive;
  return EXIT_CODES.ok;
}

/** The first line names the destination and the result. */
export function describeDrill(
  { database, name, target, report }: Drilled,
  flags: DrillFlags,
): string {
  const of = database === undefined ? '' : `${database}: `;
  const lines = [
    `${of}${name} (${target}): ${report.result}`,
    ...describeRestore(report),
    ...describeChecks(report, flags),
    ...describeLoss(report),
    ...report.problems.map(
      ({ message, object, code }) =>
        `! ${object === undefined || message.includes(object) ? '' : `${object}: `}${message}` +
        (code === undefined ? '' : ` (${code})`),
    ),
  ];
  return `${lines.join('\n  ')}\n`;
}

function describeRestore(report: DrillReport): string[] {
  const { timestamp, restoreMs, databaseBytes } = report;
  const state = describeState(report);
  if (state === undefined || restoreMs === undefined) return ['nothing was restored'];
  return [
    `restored ${state} at ${timestamp}, ${formatBytes(databaseBytes ?? 0)} in ${seconds(restoreMs)} ` +
      `from ${report.filesRead} of ${report.filesListed} files`,
  ];
}

function describeState({ txid, generation, position }: DrillReport): string | undefined {
  if (txid !== undefined) return `TXID ${txid}, written`;
  return generation === undefined
    ? undefined
    : `generation ${generation} of Litestream 0.3 up to ${position}, uploaded`;
}

function describeChecks(report: DrillReport, { integrityCheck }: DrillFlags): string[] {
  if (report.restoreMs === undefined) return [];
  const { comparison, assertions } = report;
  const hasPassed =
    report.result !== 'inconclusive' && // the check may not have ended
    !report.problems.some(({ code }) => code === 'RESTORE_INTEGRITY' || code === 'RESTORE_OUTPUT');
  const check =
    integrityCheck === 'none' || !hasPassed
      ? []
      : [`${integrityCheck === 'quick' ? 'quick_check' : 'integrity_check'} is ok`];
  const holding = assertions.filter(({ failure }) => failure === undefined).length;
  const asserted =
    assertions.length === 0 ? [] : [`${holding} of ${assertions.length} assertions hold`];
  const compared = {
    equal: comparison.kind === 'equal' ? describeEqual(comparison) : '',
    different: 'the live database differs',
    'not compared': comparison.kind === 'not compared' ? `not compared: ${comparison.why}` : '',
  }[comparison.kind];
  return [[...check, ...asserted, compared].join('; ')];
}

function describeEqual({ pages, skipped }: { pages: number; skipped: number }): string {
  return skipped === 0
    ? `all ${pages} pages equal the live database at that TXID`
    : `${pages} pages equal the live database at that TXID, and ${skipped} could not be compared: they have changed since`;
}

function describeLoss({ lossWindowMs: ms, newestTXID, filesListed }: DrillReport): string[] {
  if (filesListed === undefined) return [];
  const newest =
    newestTXID === undefined
      ? 'the last upload can be restored'
      : `newest restorable TXID ${newestTXID}`;
  if (ms === undefined) {
    return [`${newest}; window of loss unknown: that commit is in the future of this clock`];
  }
  return ms === 0
    ? [`${newest}; nothing was committed since, so nothing would be lost`]
    : [`${newest}; window of loss at most ${seconds(ms)}`];
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

export function drillToJSON({ database, name, type, target, report }: Drilled): object {
  const { comparison } = report;
  return {
    database,
    name,
    type,
    target,
    result: report.result,
    kind: report.kind,
    at: report.at,
    txid: report.txid,
    generation: report.generation,
    position: report.position,
    timestamp: report.timestamp,
    newest_txid: report.newestTXID,
    restore_ms: report.restoreMs,
    loss_window_ms: report.lossWindowMs,
    files_listed: report.filesListed,
    files_read: report.filesRead,
    bytes_read: report.bytesRead,
    size: report.databaseBytes,
    assertions: report.assertions.map(({ sql, failure }) => ({
      sql,
      holds: failure === undefined,
      failure,
    })),
    comparison,
    problems: report.problems,
  };
}
