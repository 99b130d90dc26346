/** The source of an application that replicates with `openSluice`: live status, without history and measurements. */

import type { DatabaseStatus, Sluice } from '@sluice/core';
import type { DashboardSource } from './source.ts';

/** `paths`: databases of `sluice`, as given to `openSluice`. */
export function sluiceSource(
  sluice: Pick<Sluice, 'database'>,
  paths: readonly string[],
): DashboardSource {
  return {
    // Rejects if the process that replicates is down: then the page is red.
    status: async (): Promise<readonly DatabaseStatus[]> =>
      await Promise.all(paths.map(async (each) => await sluice.database(each).status())),
    // Drills belong to the command line tool.
    drills: () => [],
    settings: () => undefined,
  };
}
