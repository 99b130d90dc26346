/** The money for a forecast, by a table of prices. Pure. */

import { HOURS_PER_MONTH, type Forecast } from './model.ts';
import type { Prices } from './prices.ts';

export interface Money {
  readonly storage: number;
  readonly put: number;
  readonly get: number;
  readonly list: number;
  readonly delete: number;
  readonly egress: number;
  readonly total: number;
}

const HOURS_PER_DAY = 24;

export function moneyFor(forecast: Forecast, prices: Prices): Money {
  const { requests, readBytes } = forecast;
  const per1000 = (count: number, price: number): number => (count / 1000) * price;
  const parts = {
    storage:
      Math.max(billedBytes(forecast, prices) / prices.gbBytes, prices.storageMinGB) *
      prices.storagePerGB,
    put: per1000(requests.put, prices.putPer1000),
    get: per1000(requests.get, prices.getPer1000),
    list: per1000(requests.list, prices.listPer1000),
    delete: per1000(requests.delete, prices.deletePer1000),
    egress: (readBytes / prices.gbBytes) * prices.egressPerGB,
  };
  return { ...parts, total: Object.values(parts).reduce((sum, part) => sum + part, 0) };
}

/** A provider with a minimum age bills everything that was sent within it, even if it was deleted. */
function billedBytes({ storedBytes, sentBytes }: Forecast, { storageMinDays }: Prices): number {
  const sentMeanwhile = (sentBytes / HOURS_PER_MONTH) * HOURS_PER_DAY * storageMinDays;
  return Math.max(storedBytes, sentMeanwhile);
}
