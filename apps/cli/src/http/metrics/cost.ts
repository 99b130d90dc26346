/**
 * What a destination costs in a month if it goes on as it does: the files that are there now, and the calls since the
 * start. `sluice cost` forecasts from the settings instead, and knows multipart uploads and minimum charges. Pure.
 */

import { HOURS_PER_MONTH } from '../../costing/model.ts';
import type { Prices } from '../../costing/prices.ts';
import type { Calls, Operation } from '../../counted-client.ts';

const HOUR_MS = 3_600_000;
/** A start lists everything, and may send a backlog: less time says little about a month. */
const UPTIME_MS_MIN: number = HOUR_MS;

export interface CostInput {
  readonly prices: Prices;
  readonly calls: Calls;
  readonly storedBytes: number;
  readonly uptimeMs: number;
}

/** In the currency of the prices; undefined if too little time has passed. */
export function forecastMonth(input: CostInput): number | undefined {
  const { prices, calls, storedBytes, uptimeMs } = input;
  if (uptimeMs < UPTIME_MS_MIN) return undefined;
  const monthly = (HOURS_PER_MONTH * HOUR_MS) / uptimeMs;
  const per1000: Readonly<Record<Operation, number>> = {
    list: prices.listPer1000,
    get: prices.getPer1000,
    put: prices.putPer1000,
    copy: prices.putPer1000,
    delete: prices.deletePer1000,
  };
  const requests = calls.counts.reduce(
    (sum, { operation, count }) => sum + (count / 1_000) * per1000[operation],
    0,
  );
  const storage = (storedBytes / prices.gbBytes) * prices.storagePerGB;
  const egress = (calls.readBytes / prices.gbBytes) * prices.egressPerGB;
  return storage + (requests + egress) * monthly;
}
