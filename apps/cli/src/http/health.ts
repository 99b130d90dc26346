/** What /readyz and /status add to the health of each database. Pure. */

import type { DatabaseStatus } from '@sluice/core';

export interface Unready {
  readonly path: string;
  readonly state: DatabaseStatus['state'];
  /** Why it could not be opened; undefined if it is not known, or missing. */
  readonly error: string | undefined;
}

/** The databases that this process has not opened yet. One that was opened stays ready: /status tells how it is. */
export function findUnready(databases: readonly DatabaseStatus[]): Unready[] {
  return databases
    .filter(({ pageSize }) => pageSize === undefined)
    .map(({ path, state, error }) => ({ path, state, error: error?.message }));
}

export interface Late {
  readonly path: string;
  readonly destination: string;
  readonly lagSeconds: number;
}

/** The destinations whose lag is above the limit. */
export function findLate(databases: readonly DatabaseStatus[], maxLagMs: number): Late[] {
  return databases.flatMap(({ path, destinations }) =>
    destinations
      .filter(({ lagSeconds }) => lagSeconds * 1_000 > maxLagMs)
      .map(({ name: destination, lagSeconds }) => ({ path, destination, lagSeconds })),
  );
}
