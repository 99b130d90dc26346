/** Prints a forecast for people, and as JSON. Pure. */

import { formatBytes, formatDuration } from '@sluice/core/config';
import type { Forecast, Schedule, Workload } from './model.ts';
import type { Money } from './money.ts';
import type { Observation } from './observe.ts';
import type { Prices } from './prices.ts';

export interface Costing {
  readonly name: string;
  readonly target: string;
  readonly workload: Workload;
  readonly schedule: Schedule;
  readonly observed: Observation | undefined;
  readonly forecast: Forecast;
  readonly prices: Prices;
  readonly money: Money;
}

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const INDENT = '  ';

/** The lines about one destination. */
export function describeCosting(costing: Costing): string[] {
  const { name, target, workload, schedule, forecast, prices, money } = costing;
  const { requests } = forecast;
  const dated =
    prices.date === undefined ? '' : `, list prices of ${prices.date}, ${prices.verification}`;
  const amount = (value: number): string => `${prices.currency} ${value.toFixed(2)}`;
  const parts = Object.entries(money).filter(([part, value]) => part !== 'total' && value >= 0.005);
  return [
    `${name} (${target}): ${prices.name}${dated}`,
    `${INDENT}commits    ${WHOLE.format(workload.commitsPerHour)} an hour of ${formatBytes(Math.round(workload.bytesPerCommit))}, full snapshot ${formatBytes(workload.snapshotBytes)}${sourceOf(costing)}`,
    `${INDENT}settings   sync ${formatDuration(schedule.syncIntervalMs)}, levels ${schedule.levelsMs.map(formatDuration).join(' ') || 'none'}, snapshot ${formatDuration(schedule.snapshotIntervalMs)}, retention ${retentionOf(schedule)}`,
    `${INDENT}requests   PUT ${WHOLE.format(requests.put)}, GET ${WHOLE.format(requests.get)}, LIST ${WHOLE.format(requests.list)}, DELETE ${WHOLE.format(requests.delete)} a month`,
    `${INDENT}sent       ${formatBytes(Math.round(forecast.sentBytes))} a month`,
    `${INDENT}stored     ${formatBytes(Math.round(forecast.storedBytes))} in ${WHOLE.format(forecast.storedFiles)} files${schedule.retentionMs === Infinity ? ' after a month' : ''}`,
    `${INDENT}cost       ${amount(money.total)} a month${parts.length === 0 ? '' : `: ${parts.map(([part, value]) => `${part} ${value.toFixed(2)}`).join(', ')}`}`,
    `${INDENT}source     ${prices.source}${prices.verification === 'not verified' ? ': compare the prices, or give yours with -prices' : ''}`,
  ];
}

function retentionOf({ retentionMs }: Schedule): string {
  return retentionMs === Infinity ? 'off: nothing is deleted' : formatDuration(retentionMs);
}

function sourceOf({ observed }: Costing): string {
  if (observed === undefined) return '';
  return ` (files of the last ${formatDuration(Math.round(observed.observedMs / 1000) * 1000)})`;
}

export function costingToJSON(costing: Costing): object {
  const { name, target, workload, schedule, observed, forecast, prices, money } = costing;
  return {
    replica: name,
    target,
    workload: {
      commits_per_hour: workload.commitsPerHour,
      bytes_per_commit: Math.round(workload.bytesPerCommit),
      snapshot_bytes: workload.snapshotBytes,
      hot_bytes: workload.hotBytes,
      restores_per_month: workload.restoresPerMonth,
      observed_ms: observed?.observedMs,
    },
    settings: {
      sync_interval_ms: schedule.syncIntervalMs,
      levels_ms: schedule.levelsMs,
      snapshot_interval_ms: schedule.snapshotIntervalMs,
      retention_ms: schedule.retentionMs,
      l0_retention_ms: schedule.l0RetentionMs,
    },
    requests_per_month: mapValues(forecast.requests, Math.round),
    deleted_files_per_month: Math.round(forecast.deletedFiles),
    sent_bytes_per_month: Math.round(forecast.sentBytes),
    read_bytes_per_month: Math.round(forecast.readBytes),
    stored_bytes: Math.round(forecast.storedBytes),
    stored_files: Math.round(forecast.storedFiles),
    levels: forecast.levels.map(({ level, filesPerHour, bytesPerFile, keptFiles }) => ({
      level,
      files_per_hour: filesPerHour,
      bytes_per_file: Math.round(bytesPerFile),
      stored_files: Math.round(keptFiles),
    })),
    prices: {
      provider: prices.id,
      name: prices.name,
      date: prices.date,
      verified: prices.verification === undefined ? undefined : prices.verification === 'verified',
      source: prices.source,
    },
    money_per_month: {
      currency: prices.currency,
      ...mapValues(money, (value) => Number(value.toFixed(4))),
    },
  };
}

function mapValues(
  given: object,
  map: (value: number) => number,
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(given as Record<string, number>).map(([key, value]) => [key, map(value)]),
  );
}
